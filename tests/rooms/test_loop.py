"""worker/loop.py: what one process claims, and when it claims nothing for the sake of one that must run alone."""

from types import SimpleNamespace
from unittest import mock

from django.db import connection
from django.test import TestCase

from durable_django import Rate
from durable_django.base import clock
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models import Queue, Schedule, Worker, Workflow, limited_claims, partitions
from durable_django.worker.async_pool import AsyncPool
from durable_django.worker.loop import Loop
from durable_django.worker.options import WorkerOptions
from durable_django.worker.pool import Pool
from durable_django.worker.pools import Pools
from durable_django.worker.wake import Wake
from tests.behaviour.support import eventually, row
from tests.rooms.test_pool import Runs
from tests.sample.promises import takes_order


class LoopTestCase(TestCase):
    """Loops with real pools, whose workflows run until the test lets them go; time moves when the test says so."""

    def setUp(self):
        self.now = 1000.0
        self.runs = Runs()
        for patched in (
            mock.patch.object(clock, "elapsed_seconds", lambda: self.now),
            mock.patch.object(attempts, "attempt", self.runs),
        ):
            patched.start()
            self.addCleanup(patched.stop)
        Queue.objects.ensure("default")
        Schedule.objects.pause()
        self.loop = self.make_loop("w")

    def make_loop(self, worker, **options):
        """Return the loop of one more process with two threads."""
        Worker.objects.register(worker, 3600, hostname="test", pid=0)
        pool = Pool("default", 2, lambda: None, lambda: None)
        self.addCleanup(self.stop, pool)
        heartbeat = SimpleNamespace(owner=Ownership(worker))
        tasks = AsyncPool("default", 2, 3, lambda: None, lambda: None)
        self.addCleanup(tasks.stop)
        return Loop("default", WorkerOptions(threads=2, **options), Pools(pool, tasks), heartbeat, Wake())

    def stop(self, pool):
        for workflow in Workflow.objects.all():
            self.runs.gate(workflow.pk).set()
        pool.stop()
        for thread in pool._threads:
            thread.join(30)

    def start(self, name, recoveries=0):
        handle = takes_order.using(id=name).start(7)
        Workflow.objects.filter(pk=name).update(recoveries=recoveries)
        return handle

    def turn(self, seconds=0.0, loop=None):
        """Let so much time pass, then do as many turns as a process does without waiting."""
        self.now += seconds
        loop = loop or self.loop
        for _ in range(10):
            if loop.turn() > 0:
                break
        self.assertEqual(0, loop._failures)

    def let_go(self, name):
        """Let a workflow end, and wait until its slot is free."""
        busy = self.loop.pools.busy
        eventually(lambda: name in self.runs.running, f"{name} runs")
        self.runs.gate(name).set()
        eventually(lambda: self.loop.pools.busy < busy, f"the slot of {name} is free")
        Workflow.objects.filter(pk=name).update(status="succeeded", worker=None)

    def held(self):
        """Return what the workers have in their hands."""
        return sorted(Workflow.objects.running().values_list("pk", flat=True))


class ALoop(LoopTestCase):
    def test_claims_what_its_pool_can_take(self):
        """In the order of their turn; the rest as slots become free."""
        for name in "abc":
            self.start(name)
        self.turn()
        first = self.held()
        self.let_go("a")
        self.turn()

        self.assertEqual((["a", "b"], ["b", "c"]), (first, self.held()))

    def test_claims_nothing_more_once_an_operator_drains_it(self):
        """What it runs goes on; work that it will not claim does not keep it awake."""
        self.start("a")
        self.turn()
        self.loop.heartbeat.owner.leaving.set()
        self.start("b")
        self.turn(2)

        self.assertEqual(["a"], self.held())
        self.assertGreater(self.loop.turn(), 0.1)

    def test_holds_what_it_claims_for_its_owner(self):
        """What is in hand is nobody's stray."""
        self.start("a")
        self.turn()

        self.assertEqual({("a", 1)}, self.loop.heartbeat.owner.held)

    def test_runs_no_attempt_twice(self):
        """A server that crashed may have lost the claim, and give the workflow again."""
        self.start("a")
        self.turn()
        Workflow.objects.update(status="queued", worker=None, attempt=0)
        self.turn(2)

        self.assertEqual((["a"], 1), (self.held(), self.loop.pools.busy))


class ARing(LoopTestCase):
    def test_is_answered_by_a_second_look_though_the_first_found_nothing(self):
        """Somebody else was faster, and the ring for what came next was skipped: no poll is waited for."""
        self.turn(2)
        self.loop.ring()
        self.turn(0.1)
        self.start("late")
        self.turn(0.02)

        self.assertEqual(["late"], self.held())

    def test_is_answered_by_no_third_look(self):
        """Silence costs nothing."""
        self.turn(2)
        self.loop.ring()
        self.turn(0.1)
        self.turn(0.02)
        self.start("later")
        self.turn(0.02)

        self.assertEqual([], self.held())


class AQueueAtItsLimit(LoopTestCase):
    """Whether nothing is left to run now, as --until-idle asks."""

    def setUp(self):
        super().setUp()
        self.queue = Queue.objects.filter(pk="default")

    def turns(self, loop=None):
        for number in range(1, 10):
            (loop or self.loop).turn()
            # Between two polls there is time to claim.
            self.now += 0.01 if number % 3 else 1.1

    def test_of_a_rate_leaves_nothing_to_run_now(self):
        """What a rate holds back waits for a later moment."""
        self.queue.edit(rate=Rate(1, per=3600))
        for name in "ab":
            self.start(name)
        self.turns()
        self.assertFalse(self.loop.is_idle)
        self.runs.gate("a").set()
        eventually(lambda: not self.loop.pools.busy, "the first has ended")
        Workflow.objects.filter(pk="a").update(worker=None, status="succeeded")

        self.turns()

        self.assertTrue(self.loop.is_idle)

    def test_of_none_leaves_nothing_to_run_now(self):
        """As a pause does."""
        self.queue.edit(concurrency=0)
        self.start("a")

        self.turns()

        self.assertTrue(self.loop.is_idle)

    def test_by_what_others_run_is_waited_for(self):
        """It has room again when they end, and maybe they die."""
        self.queue.edit(concurrency=1)
        for name in "ab":
            self.start(name)
        other = self.make_loop("other")
        self.turns(other)

        self.turns()
        self.assertFalse(self.loop.is_idle)


class PartitionsAtTheirLimit(LoopTestCase):
    """Many of them, in the hands of another worker, each with one that waits."""

    def fill(self, count):
        Queue.objects.filter(pk="default").edit(partition_concurrency=1)
        Worker.objects.register("other", 3600, hostname="test", pid=0)
        alike = {"name": takes_order.name, "arguments": '{"args":[7],"kwargs":{}}', "max_recoveries": 20}
        for line, state in enumerate(({"status": "running", "worker": "other", "attempt": 1}, {"status": "queued"})):
            Workflow.objects.bulk_create(
                Workflow(id=f"t{number:04}-{line}", partition_key=f"t{number:04}", line=line, **alike, **state)
                for number in range(count)
            )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE durable_django_workflow")

    def start_in(self, key):
        takes_order.using(id=f"in-{key}", partition_key=key).start(7)
        return lambda: Workflow.objects.filter(pk=f"in-{key}").running().exists()

    def turns_until(self, is_reached, most=100):
        """Do turns, waiting as long as each says. Return how many there were, and the seconds between them."""
        began_at = self.now
        for number in range(1, most):
            seconds = self.loop.turn()
            self.assertEqual(0, self.loop._failures)
            if is_reached():
                return number, self.now - began_at
            self.now += seconds
        raise AssertionError("It was not reached.")

    def claims_until(self, is_reached):
        with mock.patch.object(limited_claims, "claim", wraps=limited_claims.claim) as claim:
            self.turns_until(is_reached)
        return claim.call_count

    def test_hold_up_no_fresh_one(self):
        """Wherever it stands among a thousand of them: a look and some claims, without a poll in between."""
        self.fill(1000)
        self.turns_until(lambda: self.now > 1002)

        for key in ("a", "t0100a", "t0550a", "z"):
            is_claimed = self.start_in(key)
            self.loop.ring()
            turns, seconds = self.turns_until(is_claimed)
            self.assertLess((turns, seconds), (10, 0.1), key)
            Workflow.objects.filter(pk=f"in-{key}").update(status="succeeded", worker=None)
            self.runs.gate(f"in-{key}").set()
            eventually(lambda: not self.loop.pools.busy, "it has ended")
            self.turns_until(lambda: not self.loop._lines)

    def test_hold_up_no_fresh_one_that_nobody_has_told_of(self):
        """The next poll finds it."""
        self.fill(1000)
        self.turns_until(lambda: self.now > 1002)

        turns, seconds = self.turns_until(self.start_in("z"))

        self.assertLess((turns, seconds), (10, 1.2))

    def test_are_passed_by_once_a_poll(self):
        """A worker that finds nothing rests, though there are a thousand."""
        self.fill(1000)
        self.turns_until(lambda: self.now > 1002)
        end = self.now + 10

        claims = self.claims_until(lambda: self.now > end)

        self.assertLess(claims, 12 * 6)

    def test_of_any_number_leave_a_poll_between_so_many(self):
        """The next poll goes on behind them."""
        self.fill(100)
        is_claimed = self.start_in("z")
        with mock.patch.object(partitions, "_MOST_PROBES", 4):
            claims = self.claims_until(is_claimed)

        self.assertEqual(26, claims)
        self.assertGreater(self.now, 1001)

    def test_are_passed_by_when_only_some_had_a_place(self):
        """What the first walk found does not end it."""
        self.fill(100)
        self.start_in("a")
        is_claimed = self.start_in("z")

        with mock.patch.object(partitions, "_MOST_PROBES", 4):
            _turns, seconds = self.turns_until(is_claimed)

        self.assertLess(seconds, 5)


class ASuspect(LoopTestCase):
    """It has lost three workers in a row."""

    def setUp(self):
        super().setUp()
        self.start("long")
        self.turn()
        self.suspect = self.start("suspect", recoveries=3)

    def test_runs_at_once_where_nothing_runs(self):
        """And nothing beside it."""
        self.let_go("long")
        self.start("other")
        self.turn(2)

        self.assertEqual((["suspect"], 0, 1), (self.held(), self.loop.pools.free(is_async=False), self.loop.pools.busy))
        eventually(lambda: self.runs.running == ["suspect"], "it runs")

    def test_is_not_claimed_by_a_process_that_is_busy(self):
        """It stays in its queue, for whoever is idle first."""
        self.turn(2)

        self.assertEqual(("queued", 0), (row(self.suspect).status, row(self.suspect).attempt))

    def test_is_taken_by_another_process_that_is_idle(self):
        """The one that held its claims back for it goes on with them."""
        self.turn(2)
        self.start("other")
        other = self.make_loop("w2")
        self.turn(loop=other)
        taken = self.held()
        self.turn(2)

        self.assertEqual((["long", "suspect"], ["long", "other", "suspect"]), (taken, self.held()))

    def test_holds_others_back_for_some_seconds(self):
        """A step may take hours: then others are claimed again."""
        self.turn(2)
        self.start("other")
        seen = []
        for seconds in (1, 8, 2):
            self.turn(seconds)
            seen.append(self.held())

        self.assertEqual([["long"], ["long"], ["long", "other"]], seen)

    def test_holds_them_back_again_after_a_minute(self):
        """Not earlier, and not only once."""
        self.turn(2)
        self.turn(11)
        seen = []
        for seconds in (1, 30, 50):
            self.turn(seconds)
            self.start(f"after-{seconds}")
            self.turn(2)
            seen.append(f"after-{seconds}" in self.held())
            if seen[-1]:
                self.let_go(f"after-{seconds}")

        self.assertEqual([True, True, False], seen)

    def test_runs_as_soon_as_the_process_is_idle(self):
        """Nobody waits for the next poll, and others wait a little longer."""
        self.turn(2)
        self.start("other")
        self.let_go("long")
        self.turn(0.1)

        self.assertEqual((["suspect"], 0), (self.held(), self.loop.may_claim(is_async=False)))

    def test_comes_after_the_others_that_waited_for_one(self):
        """Many suspects and many others take turns."""
        self.start("suspect-2", recoveries=3)
        self.start("other")
        self.let_go("long")
        self.turn(2)
        first = self.held()
        self.turn(2)
        self.let_go(first[0])
        self.turn(0.1)
        second = self.held()
        self.turn(2)
        third = self.held()
        self.let_go("other")
        self.turn(0.1)

        self.assertEqual((["suspect"], ["other"], ["other"]), (first, second, third))
        self.assertEqual(["suspect-2"], self.held())

    def test_of_another_code_stands_before_nobody(self):
        """Neither before the next suspect, nor, for the quiet that nobody here needs, in the way of others."""
        Workflow.objects.filter(pk="suspect").update(name="elsewhere.ship")
        self.start("suspect-2", recoveries=3)
        self.let_go("long")
        self.turn(2)
        self.turn(2)
        first = self.held()
        self.let_go("suspect-2")
        self.turn(2)
        self.start("other")
        self.turn(2)

        found = row(self.suspect)
        self.assertEqual((["suspect-2"], ["other"]), (first, self.held()))
        self.assertEqual(("queued", "code", 0), (found.status, found.waiting_for, found.attempt))

    def test_counts_as_one_of_max_workflows(self):
        """The process ends after so many, of whichever kind."""
        loop = self.make_loop("w2", max_workflows=1)
        self.turn(loop=loop)
        eventually(lambda: "suspect" in self.runs.running, "it runs")
        self.start("other")
        self.turn(2, loop=loop)

        self.assertEqual((1, ["long", "suspect"]), (loop.claimed, self.held()))
