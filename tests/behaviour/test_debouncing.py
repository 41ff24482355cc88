"""Debounce: calls that come while a workflow has not begun move its start, and replace its arguments."""

from datetime import timedelta

from django.db import transaction
from django.test import TestCase

from durable_django import Debounce, DuplicateWorkflow
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.claiming import sync
from tests.behaviour.support import labels, row
from tests.sample.queued import begins, waits

changed = begins.using(deduplication_key="profile-7", debounce=Debounce(10))


class ADebouncedWorkflow(TestCase):
    def setUp(self):
        sync()

    def test_starts_when_no_further_call_came_for_so_long(self):
        """Each call begins the time anew."""
        changed.start("a")
        with travel(seconds=8):
            changed.start("b")
        with travel(seconds=12):
            run_until_idle()
            self.assertEqual([], labels())
        with travel(seconds=19):
            run_until_idle()

        self.assertEqual(["b"], labels())

    def test_is_one_workflow(self):
        """Every call gets its handle."""
        handles = {changed.start(label).id for label in "abc"}

        self.assertEqual(1, len(handles))
        self.assertEqual(1, Workflow.objects.count())

    def test_has_the_arguments_of_the_last_call(self):
        """Nobody runs with those of the first."""
        for label in "abc":
            handle = changed.start(label)
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual("c", handle.result())

    def test_starts_in_time_however_many_calls_come(self):
        """max_seconds counts from the first call."""
        urgent = begins.using(deduplication_key="p", debounce=Debounce(10, max_seconds=25))
        for second in range(0, 24, 4):
            with travel(seconds=second):
                urgent.start(f"call-{second}")
        with travel(seconds=24):
            run_until_idle()
            self.assertEqual([], labels())
        with travel(seconds=26):
            run_until_idle()

        self.assertEqual(["call-20"], labels())

    def test_takes_calls_in_though_it_is_due(self):
        """As long as nobody has claimed it."""
        first = changed.start("a")
        with travel(seconds=11):
            Workflow.objects.promote()
            again = changed.start("b")
            run_until_idle()
            self.assertEqual([], labels())
        with travel(seconds=22):
            run_until_idle()

        self.assertEqual((first.id, ["b"]), (again.id, labels()))

    def test_that_runs_leaves_calls_to_the_next_one(self):
        """Its claim sets the key free."""
        slow = waits.using(deduplication_key="p", debounce=Debounce(10))
        first = slow.start("a")
        with travel(seconds=11):
            run_until_idle()
            second = slow.start("b")
        with travel(seconds=22):
            run_until_idle()

        self.assertNotEqual(first.id, second.id)
        self.assertEqual(["a", "b"], labels())
        self.assertIsNone(row(first).deduplication_key)

    def test_is_rolled_back_with_its_caller(self):
        """A call joins the transaction: arguments and moment are as before."""
        handle = changed.start("a")
        before = row(handle)
        with travel(seconds=5), self.assertRaises(ZeroDivisionError), transaction.atomic():
            changed.start("b")
            raise ZeroDivisionError

        after = row(handle)
        self.assertEqual((before.arguments, before.run_after), (after.arguments, after.run_after))


class AKeyThatAnotherOneHolds(TestCase):
    def setUp(self):
        sync()

    def test_without_debounce_is_a_duplicate(self):
        """That workflow has arguments of its own."""
        begins.using(deduplication_key="profile-7").start("a")

        with self.assertRaises(DuplicateWorkflow):
            changed.start("b")

    def test_of_another_name_is_a_duplicate(self):
        """Its arguments mean something else."""
        waits.using(deduplication_key="profile-7", debounce=Debounce(10)).start("a")

        with self.assertRaises(DuplicateWorkflow):
            changed.start("b")


class BadDebounces(TestCase):
    def test_are_refused(self):
        """With the argument and what is wrong with it."""
        keyed = begins.using(deduplication_key="k")
        for act, message in (
            (lambda: begins.using(debounce=Debounce(5)), "needs a deduplication_key"),
            (lambda: keyed.using(debounce=Debounce(5), delay=3), "neither delay= nor run_after="),
            (lambda: Debounce(-1), "Debounce(seconds=)"),
            (lambda: Debounce(float("inf")), "Debounce(seconds=)"),
            (lambda: Debounce(10, max_seconds=5), "is less than"),
            (lambda: keyed.using(debounce=Debounce(5))("a"), "use .start(), not a plain call"),
        ):
            with self.subTest(message=message), self.assertRaisesMessage(ValueError, message):
                act()
        with self.assertRaisesMessage(TypeError, "debounce must be a Debounce"):
            keyed.using(debounce=5)

    def test_may_be_given_as_timedeltas(self):
        """As every duration."""
        self.assertEqual((5, 60), tuple(Debounce(timedelta(seconds=5), timedelta(minutes=1)).in_seconds))
