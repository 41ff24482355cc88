"""Partitions of a queue: served in turn, each within limits of its own, whatever stands in line in the others."""

from unittest import mock

from django.test import TestCase

from durable_django.models import Queue, Workflow, partitions
from durable_django.testing import run_until_idle, travel
from tests.behaviour.claiming import claim, claimed, ids, start_ids, sync
from tests.behaviour.support import row
from tests.sample.queued import begins, waits


class PartitionTestCase(TestCase):
    def setUp(self):
        sync()

    def start(self, queue, key, *names, definition=begins, **options):
        start_ids(definition.using(queue=queue, partition_key=key, **options), *names)


class Partitions(PartitionTestCase):
    def test_are_served_in_turn(self):
        """One of each, then the next of each."""
        self.start("tenants", "a", "a1", "a2", "a3", "a4")
        self.start("tenants", "b", "b1")
        self.start("tenants", "c", "c1", "c2")

        served = [ids(claim("tenants", 2)) for _number in range(4)]

        self.assertEqual([["a1", "b1"], ["c1", "a2"], ["c2", "a3"], ["a4"]], served)

    def test_share_a_claim(self):
        """One that could take many takes them in turn, too."""
        self.start("tenants", "a", "a1", "a2", "a3", "a4")
        self.start("tenants", "b", "b1", "b2")

        self.assertEqual(["a1", "b1", "a2", "b2", "a3"], ids(claim("tenants", 5)))

    def test_may_be_many(self):
        """Each has its turn before the first one has its second."""
        for number in range(30):
            self.start("tenants", f"t{number:02}", f"t{number:02}-1", f"t{number:02}-2")

        served = [each for _number in range(6) for each in ids(claim("tenants", 5))]

        self.assertEqual([f"t{number:02}-1" for number in range(30)], served)

    def test_have_their_own_order(self):
        """Priority, then turn, within each."""
        self.start("tenants", "a", "a1", "a2")
        self.start("tenants", "a", "a-urgent", priority=9)

        self.assertEqual(["a-urgent", "a1", "a2"], [each for _n in range(3) for each in ids(claim("tenants", 1))])

    def test_whose_key_is_new_do_not_wait_for_a_crowd(self):
        """A tenant with a thousand does not hold up one with a single workflow."""
        begins.using(queue="tenants", partition_key="crowd").start_many([(str(number),) for number in range(1000)])
        claim("tenants", 8)
        self.start("tenants", "newcomer", "n1")

        self.assertIn("n1", ids(claim("tenants", 2)))

    def test_are_claimed_for_event_loops_apart(self):
        """The kinds of workflows do not mix."""
        self.start("tenants", "a", "a1", "a2")
        Workflow.objects.filter(pk="a2").update(is_async=True)

        self.assertEqual(["a2"], ids(claim("tenants", is_async=True)))


class ALimitOfEachPartition(PartitionTestCase):
    def test_is_never_exceeded(self):
        """The others go on."""
        self.start("one_each", "a", "a1", "a2")
        self.start("one_each", "b", "b1", "b2")

        self.assertEqual(["a1", "b1"], ids(claim("one_each")))
        self.assertEqual([], claim("one_each", worker="other"))

    def test_is_free_again_with_its_slot(self):
        """Of that partition only."""
        self.start("one_each", "a", "a1", "a2")
        self.start("one_each", "b", "b1", "b2")
        first, _second = claim("one_each")
        first.succeed("null")

        self.assertEqual(["a2"], ids(claim("one_each")))

    def test_does_not_hold_up_who_comes_behind_many_full_ones(self):
        """The claim passes them by."""
        for number in range(20):
            self.start("one_each", f"t{number:02}", f"t{number:02}-1", f"t{number:02}-2")
        claim("one_each", 20)
        self.start("one_each", "zz", "z1")

        self.assertEqual(["z1"], ids(claim("one_each")))


class ARateOfEachPartition(PartitionTestCase):
    def test_is_never_exceeded(self):
        """Two starts a minute for each tenant."""
        self.start("rated_tenants", "a", "a1", "a2", "a3")
        self.start("rated_tenants", "b", "b1")

        self.assertEqual({"a1", "a2", "b1"}, set(ids(claim("rated_tenants"))))
        self.assertEqual([], claim("rated_tenants"))
        with travel(seconds=61):
            self.assertEqual(["a3"], ids(claim("rated_tenants")))

    def test_is_not_waited_for_by_who_goes_on(self):
        """A continuation is no start."""
        self.start("rated_tenants", "a", "a1", "a2", definition=waits)
        run_until_idle()
        self.start("rated_tenants", "a", "a3")
        Workflow.objects.filter(pk__in=["a1", "a2"]).wake()

        self.assertEqual(["a1", "a2"], ids(claim("rated_tenants")))

    def test_holds_up_none_behind_more_than_a_claim_looks_at(self):
        """Not in the tests of a project either."""
        for number in range(10):
            self.start("rated_tenants", f"t{number}", f"t{number}-1", f"t{number}-2", f"t{number}-3")
        run_until_idle()
        self.start("rated_tenants", "t5a", "t5a-1")

        with mock.patch.object(partitions, "_MOST_PROBES", 4):
            run_until_idle()

        self.assertEqual(21, Workflow.objects.finished().count())


class AWorkflowWithoutKey(PartitionTestCase):
    def test_is_refused_by_the_start(self):
        """With what to do."""
        with self.assertRaisesMessage(ValueError, "Queue 'tenants' is partitioned: start"):
            begins.using(queue="tenants").start("a")
        with self.assertRaisesMessage(ValueError, "using(partition_key=...)"):
            begins.using(queue="tenants").start_many([("a",)])
        self.assertEqual(0, Workflow.objects.count())

    def test_shares_the_empty_one_when_its_queue_becomes_partitioned(self):
        """What waits already is not left behind."""
        start_ids(begins.using(queue="second"), "a")
        Queue.objects.filter(pk="second").edit(partitioned=True)
        self.addCleanup(Queue.objects.filter(pk="second").revert)

        self.assertEqual(["a"], ids(claim("second")))

    def test_of_older_code_is_taken_up_by_the_upkeep(self):
        """Which does not know yet that the queue is partitioned."""
        Queue.objects.filter(pk="second").edit(partitioned=True)
        self.addCleanup(Queue.objects.filter(pk="second").revert)
        start_ids(begins.using(queue="second"), "late")
        self.assertEqual([], claim("second"))

        Queue.objects.give_partitions()

        self.assertEqual(["late"], ids(claim("second")))


class ASuspect(PartitionTestCase):
    def test_is_claimed_within_the_limits(self):
        """One that must run alone takes a slot as any other."""
        self.start("one_each", "a", "a1")
        Workflow.objects.filter(pk="a1").update(recoveries=3, attempt=3)

        self.assertEqual([], claimed("one_each").workflows)
        run_until_idle()

        self.assertEqual(
            "succeeded", row(begins.using(id="a1", queue="one_each", partition_key="a").start("a1")).status
        )
