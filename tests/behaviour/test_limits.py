"""Limits of queues: what holds a slot, what sets it free, and what a claim leaves in the queue."""

from django.test import TestCase

from durable_django.models import Queue, Worker, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.claiming import claim, claimed, ids, start_ids, sync
from tests.behaviour.support import row
from tests.sample.queued import begins, fails_at_once, parent_of, single, waits


class LimitTestCase(TestCase):
    def setUp(self):
        sync()
        self.addCleanup(single.revert)


class AGlobalLimit(LimitTestCase):
    def test_is_never_exceeded(self):
        """Whoever claims, however much is wanted."""
        start_ids(begins.using(queue="three"), "a", "b", "c", "d", "e")

        self.assertEqual(["a", "b"], ids(claim("three", 2, worker="w1")))
        self.assertEqual(["c"], ids(claim("three", 2, worker="w2")))
        self.assertEqual([], claim("three", 2, worker="w1"))

    def test_says_that_it_held_back(self):
        """So that the worker asks again when a slot is free, and not all the while."""
        start_ids(begins.using(queue="three"), "a", "b", "c", "d", "e")

        self.assertFalse(claimed("three", 2).is_at_limit)
        self.assertTrue(claimed("three", 2).is_at_limit)

    def test_leaves_other_queues_alone(self):
        """Each queue counts what is its own."""
        start_ids(begins, "a", "b")
        start_ids(begins.using(queue="three"), "c")

        claim("single")

        self.assertEqual(["c"], ids(claim("three")))

    def test_of_zero_starts_nothing(self):
        """As a pause does."""
        single.edit(concurrency=0)
        start_ids(begins, "a")

        self.assertEqual([], claim("single"))


class ALimitOfEachWorker(LimitTestCase):
    def test_counts_what_that_worker_holds(self):
        """Another one has slots of its own."""
        start_ids(begins.using(queue="each_two"), "a", "b", "c", "d", "e")

        self.assertEqual(["a", "b"], ids(claim("each_two", worker="w1")))
        self.assertEqual([], claim("each_two", worker="w1"))
        self.assertEqual(["c", "d"], ids(claim("each_two", worker="w2")))


class ASlot(LimitTestCase):
    """A row whose worker is set, and nothing else: no exit path can leak one."""

    def setUp(self):
        super().setUp()
        start_ids(begins, "first", "second")
        (self.first,) = claim("single")

    def assert_free(self):
        self.assertEqual(["second"], ids(claim("single")))

    def test_is_set_free_by_success(self):
        """The outcome clears the worker."""
        self.first.succeed("null")
        self.assert_free()

    def test_is_set_free_by_failure(self):
        """So does this one."""
        self.first.fail("{}")
        self.assert_free()

    def test_is_set_free_by_a_retry(self):
        """It takes a slot again when it is claimed again."""
        self.first.retry(60, "{}")
        self.assert_free()

    def test_is_set_free_by_a_wait(self):
        """A workflow that waits holds none."""
        self.first.suspend("time")
        self.assert_free()

    def test_is_set_free_by_a_release(self):
        """As at the end of a worker."""
        self.first.release(60)
        self.assert_free()

    def test_is_set_free_by_the_deletion_of_the_row(self):
        """Whatever deletes it."""
        Workflow._base_manager.filter(pk="first").delete()
        self.assert_free()

    def test_is_set_free_by_recovery(self):
        """Once, when the lease of its worker has passed."""
        Worker.objects.all().expire()
        self.assertEqual([], claim("single", worker="other"))

        Workflow.objects.recover()

        self.assertEqual(["first"], ids(claim("single", worker="other")))
        self.assertEqual([], claim("single", worker="other"))

    def test_is_held_by_a_cancelled_attempt_until_it_lets_go(self):
        """Its step may still be running."""
        self.first.cancel()
        self.assertEqual([], claim("single"))

        self.first.let_go()

        self.assert_free()

    def test_is_held_by_a_paused_attempt_until_it_lets_go(self):
        """Its step may still be running."""
        self.first.pause()
        self.assertEqual([], claim("single"))

        self.first.let_go()

        self.assert_free()

    def test_is_not_taken_by_a_plain_call(self):
        """Which runs in the process that calls, whatever the queue says."""
        self.first.succeed("null")
        Worker.objects.register("caller", 3600, hostname="test", pid=0, takes_slots=False)
        self.assertEqual(1, Workflow.objects.filter(pk="second").update(worker="caller", status="running"))
        start_ids(begins, "third")

        self.assertEqual(["third"], ids(claim("single")))


class AQueueThatIsFull(LimitTestCase):
    def test_by_many_endings_never_wedges(self):
        """A hundred of each kind pass through a single slot."""
        begins.start_many([(f"good-{number}",) for number in range(100)])
        fails_at_once.start_many([(f"bad-{number}",) for number in range(100)])
        cancelled = waits.start_many([(f"never-{number}",) for number in range(100)])

        run_until_idle()
        for handle in cancelled:
            row(handle).cancel()
        last = begins.start("last")
        run_until_idle()

        self.assertEqual("last", last.result())
        self.assertEqual(0, Workflow.objects.filter(worker__isnull=False).count())

    def test_of_parents_lets_their_children_run(self):
        """A parent that waits holds no slot: a hundred children pass through the one there is."""
        handle = parent_of.start(100)

        run_until_idle()

        self.assertEqual([f"child-{number}" for number in range(100)], handle.result())


class TheOrderOfClaims(LimitTestCase):
    def test_is_by_priority_then_by_turn(self):
        """The same as without limits."""
        start_ids(begins.using(queue="three"), "a", "b")
        start_ids(begins.using(queue="three", priority=5), "urgent")

        self.assertEqual(["urgent", "a", "b"], ids(claim("three")))

    def test_lets_a_more_urgent_one_in_between_two_claims(self):
        """Every claim looks anew."""
        start_ids(begins, "a", "b")
        (first,) = claim("single")
        start_ids(begins.using(priority=1), "urgent")
        first.succeed("null")

        self.assertEqual(["urgent"], ids(claim("single")))


class AnOperator(LimitTestCase):
    def test_who_edits_a_queue_is_heard_by_the_next_claim(self):
        """Also by that of a worker that still takes the queue for an unlimited one."""
        start_ids(begins.using(queue="second"), "a", "b")
        Queue.objects.filter(pk="second").edit(concurrency=1)
        self.addCleanup(Queue.objects.filter(pk="second").revert)
        Worker.objects.register("w", 3600, hostname="test", pid=0)

        self.assertEqual([], Workflow.objects.claim("w", "second", 8, names=[begins.name]))
        self.assertEqual(["a"], ids(claim("second")))

    def test_who_pauses_a_queue_is_heard_by_the_next_claim(self):
        """Limits or none."""
        start_ids(begins, "a")
        start_ids(begins.using(queue="second"), "b")
        Queue.objects.filter(pk__in=["single", "second"]).pause()
        Worker.objects.register("w", 3600, hostname="test", pid=0)

        self.assertEqual([], claim("single"))
        self.assertEqual([], Workflow.objects.claim("w", "second", 8, names=[begins.name]))

    def test_who_lowers_a_limit_stops_nothing(self):
        """What runs goes on; nothing is claimed until there are fewer."""
        start_ids(begins.using(queue="three"), "a", "b", "c", "d")
        first, second, third = claim("three")
        Queue.objects.filter(pk="three").edit(concurrency=2)
        self.addCleanup(Queue.objects.filter(pk="three").revert)

        first.succeed("null")
        self.assertEqual([], claim("three"))
        second.succeed("null")
        self.assertEqual(["d"], ids(claim("three")))
        self.assertTrue(third.succeed("null"))

    def test_who_raises_a_limit_lets_more_in(self):
        """At the next claim."""
        start_ids(begins, "a", "b", "c")
        claim("single")
        single.edit(concurrency=2)

        self.assertEqual(["b"], ids(claim("single")))


class WorkThatIsForEventLoops(LimitTestCase):
    def test_is_claimed_apart(self):
        """The slots are the same."""
        start_ids(begins.using(queue="three"), "a", "b", "c")
        Workflow.objects.filter(pk="b").update(is_async=True)

        self.assertEqual(["b"], ids(claim("three", is_async=True)))
        self.assertEqual(["a", "c"], ids(claim("three", is_async=False)))
