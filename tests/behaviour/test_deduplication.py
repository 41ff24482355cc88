"""Deduplication keys: at most one live workflow of a queue holds one."""

from django.db import IntegrityError
from django.test import TestCase, TransactionTestCase

from durable_django import DuplicateWorkflow
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.claiming import sync
from tests.behaviour.support import row
from tests.sample.queued import begins, waits


class AKey(TestCase):
    def setUp(self):
        sync()
        self.keyed = begins.using(deduplication_key="order-7")

    def test_is_held_by_one_live_workflow(self):
        """The error names the holder and the two ways out."""
        holder = self.keyed.start("a")

        with self.assertRaises(DuplicateWorkflow) as caught:
            self.keyed.start("b")

        facts = (caught.exception.workflow_id, caught.exception.deduplication_key, caught.exception.queue)
        self.assertEqual((holder.id, "order-7", "single"), facts)
        self.assertEqual(1, Workflow.objects.count())

    def test_may_give_the_holder_instead(self):
        """Whatever its arguments."""
        holder = self.keyed.start("a")

        again = self.keyed.using(on_duplicate="return_existing").start("b")

        self.assertEqual(holder.id, again.id)

    def test_of_another_workflow_is_none_to_return(self):
        """Its result would be something else."""
        self.keyed.start("a")

        with self.assertRaises(DuplicateWorkflow):
            waits.using(deduplication_key="order-7", on_duplicate="return_existing").start("b")

    def test_is_one_of_each_queue(self):
        """Another queue knows nothing of it."""
        self.keyed.start("a")
        self.keyed.using(queue="second").start("a")

        self.assertEqual(2, Workflow.objects.count())

    def test_is_free_when_its_holder_has_ended(self):
        """Well, badly or cancelled."""
        handle = self.keyed.start("a")
        run_until_idle()
        second = self.keyed.start("b")
        row(second).cancel()
        third = self.keyed.start("c")

        self.assertEqual(3, len({handle.id, second.id, third.id}))

    def test_is_held_while_its_holder_waits_or_is_paused(self):
        """Both are alive."""
        holder = waits.using(deduplication_key="k").start("a")
        run_until_idle()
        with self.assertRaises(DuplicateWorkflow):
            waits.using(deduplication_key="k").start("b")

        row(holder).pause()

        with self.assertRaises(DuplicateWorkflow):
            waits.using(deduplication_key="k").start("b")

    def test_does_not_stand_in_the_way_of_its_own_id(self):
        """A start with the same id is the same start."""
        first = self.keyed.using(id="mine").start("a")
        again = self.keyed.using(id="mine").start("a")

        self.assertEqual(first.id, again.id)

    def test_leaves_the_transaction_usable(self):
        """The INSERT itself says that there is a duplicate, no error does."""
        self.keyed.start("a")
        with self.assertRaises(DuplicateWorkflow):
            self.keyed.start("b")

        self.assertEqual(1, Workflow.objects.count())


class AResume(TestCase):
    def setUp(self):
        sync()
        self.keyed = waits.using(deduplication_key="k")
        self.first = self.keyed.start("a")
        row(self.first).cancel()

    def test_takes_the_key_again(self):
        """It is alive again."""
        row(self.first).resume()

        with self.assertRaises(DuplicateWorkflow) as caught:
            self.keyed.start("b")
        self.assertEqual(self.first.id, caught.exception.workflow_id)

    def test_is_refused_while_another_one_holds_it(self):
        """The error names the holder; nothing has changed."""
        second = self.keyed.start("b")

        with self.assertRaises(DuplicateWorkflow) as caught:
            row(self.first).resume()

        self.assertEqual(second.id, caught.exception.workflow_id)
        self.assertEqual("cancelled", row(self.first).status)

    def test_of_two_with_one_key_is_refused(self):
        """Only one of them could have it."""
        second = self.keyed.start("b")
        row(second).cancel()

        with self.assertRaises(DuplicateWorkflow):
            Workflow.objects.resume()


class BadKeys(TestCase):
    def test_are_refused(self):
        """Where they are given."""
        for value, error in (("", ValueError), ("x" * 256, ValueError), ("a\x00b", ValueError), (7, TypeError)):
            with self.subTest(value=value), self.assertRaisesMessage(error, "deduplication_key"):
                begins.using(deduplication_key=value)
            with self.subTest(value=value), self.assertRaisesMessage(error, "partition_key"):
                begins.using(partition_key=value)

    def test_are_those_of_many_at_once(self):
        """Only one of them could have it."""
        with self.assertRaisesMessage(ValueError, "deduplication key 'k'"):
            begins.using(deduplication_key="k").start_many([("a",), ("b",)])


class TheDatabase(TransactionTestCase):
    def test_decides(self):
        """A unique index over live rows, whoever writes."""
        begins.using(deduplication_key="k", id="a").start("a")

        with self.assertRaises(IntegrityError):
            Workflow.objects.create(id="b", name="x", line=1, max_recoveries=1, queue="single", deduplication_key="k")
