"""worker/loop.py: when it asks again where limits have held it back."""

from unittest import mock

from django.db import connection

from durable_django import Rate
from durable_django.models import Queue, Worker, Workflow, limited_claims, partitions
from tests.behaviour.crowds import multiply
from tests.behaviour.support import eventually
from tests.rooms.looping import LoopTestCase
from tests.sample.promises import takes_order


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

    def test_of_a_rate_is_asked_again_at_the_next_poll(self):
        """However long the window: an operator may have changed it, and nobody rings for that."""
        self.queue.edit(rate=Rate(1, per=3600))
        for name in "ab":
            self.start(name)
        self.turns()
        held = self.held()
        self.queue.edit(rate=None)
        self.turns()

        self.assertEqual((["a"], ["a", "b"]), (held, self.held()))

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
            first = Workflow(id=f"t0000-{line}", partition_key="t0000", line=line, **alike, **state)
            Workflow.objects.bulk_create([first])
            key = "'t' || substr(CAST(10000 + numbers.number AS text), 2)"
            multiply(first, count, id=f"{key} || '-{line}'", partition_key=key)
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
        """Wherever it stands among hundreds of them: a look and some claims, without a poll in between."""
        self.fill(400)
        self.turns_until(lambda: self.now > 1002)

        for key in ("a", "t0100a", "t0250a", "z"):
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
        self.fill(400)
        self.turns_until(lambda: self.now > 1002)

        turns, seconds = self.turns_until(self.start_in("z"))

        self.assertLess((turns, seconds), (10, 1.2))

    def test_are_passed_by_once_a_poll(self):
        """A worker that finds nothing rests, though there are hundreds."""
        self.fill(400)
        self.turns_until(lambda: self.now > 1002)
        end = self.now + 10

        claims = self.claims_until(lambda: self.now > end)

        self.assertLess(claims, 12 * 3)

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
