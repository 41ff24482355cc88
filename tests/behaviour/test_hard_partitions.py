"""Partitions with crowds that go on: what the rate does not count must not hold up others either."""

from django.test import TestCase

from durable_django import Rate
from durable_django.models import Queue, Workflow
from tests.behaviour.claiming import claim, ids, start_ids, sync
from tests.sample.queued import begins


class ACrowdThatGoesOn(TestCase):
    def setUp(self):
        sync()
        Queue.objects.filter(pk="rated_tenants").edit(concurrency=None, partition_concurrency=2)

    def go_on(self, key, *names):
        start_ids(begins.using(queue="rated_tenants", partition_key=key), *names)
        Workflow.objects.filter(pk__in=names).update(attempt=1)

    def test_holds_up_no_other_partition(self):
        """Hundreds of one tenant that have woken, at the limit of that tenant; then some of another."""
        self.go_on("crowd", *[f"c{number}" for number in range(250)])
        self.go_on("tiny", "t1", "t2", "t3")

        self.assertEqual({"c0", "c1", "t1", "t2"}, set(ids(claim("rated_tenants", 8))))
        self.assertEqual([], claim("rated_tenants", 8))

    def test_holds_up_nobody_who_begins(self):
        """The rate of another tenant is its own."""
        self.go_on("crowd", *[f"c{number}" for number in range(250)])
        start_ids(begins.using(queue="rated_tenants", partition_key="new"), "n1")

        self.assertEqual({"c0", "c1", "n1"}, set(ids(claim("rated_tenants", 8))))


class ALimitOfPartitionsByAnEdit(TestCase):
    def setUp(self):
        sync()
        self.queue = Queue.objects.filter(pk="three")

    def test_makes_the_queue_partitioned(self):
        """As in a declaration; otherwise it would be a limit that nobody counts."""
        for edit in ({"partition_concurrency": 1}, {"partition_rate": Rate(1, per=60)}):
            self.queue.revert()
            self.queue.edit(**edit)
            self.assertTrue(self.queue.get().is_partitioned, edit)

    def test_contradicts_a_queue_without_partitions(self):
        """Nothing is changed."""
        with self.assertRaisesMessage(ValueError, "need a partitioned queue"):
            self.queue.edit(partitioned=False, partition_concurrency=1)

        self.assertFalse(self.queue.get().is_edited)

    def test_that_is_taken_away_leaves_the_partitions(self):
        """They have their turns all the same."""
        self.queue.edit(partition_concurrency=1)
        self.queue.edit(partition_concurrency=None)

        self.assertEqual((True, None), self.queue.values_list("is_partitioned", "partition_concurrency").get())
