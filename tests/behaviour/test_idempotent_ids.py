"""An id is an idempotency key: a second start finds the first workflow, and never makes another."""

import threading

from django.db import connections
from django.test import TestCase, TransactionTestCase

from durable_django import DurableError, WorkflowConflict, get_handle
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import labels, row
from tests.sample.promises import echoes, takes_order
from tests.sample.workflows import two_marks


class ASecondStartWithTheSameId(TestCase):
    def test_returns_a_handle_to_the_first(self):
        """While the first waits, the second finds it; one row, one run."""
        first = two_marks.using(id="order-7").start("a")
        second = two_marks.using(id="order-7").start("a")

        run_until_idle()

        self.assertEqual(first.id, second.id)
        self.assertEqual(["a-atomic", "a-plain"], second.result())
        self.assertEqual(["a-atomic", "a-plain"], labels())

    def test_finds_a_finished_one_too(self):
        """The first has ended: the second returns its result without running anything."""
        two_marks.using(id="order-7").start("a")
        run_until_idle()

        again = two_marks.using(id="order-7").start("a")

        self.assertEqual(["a-atomic", "a-plain"], again.result())
        self.assertEqual(0, run_until_idle())
        self.assertEqual(2, len(labels()))

    def test_does_not_care_how_arguments_were_passed(self):
        """start(7) and start(order=7) are one call, and so are defaults left out or in place by position."""
        for args, kwargs in (((7,), {}), ((), {"order": 7})):
            takes_order.using(id="order-7").start(*args, **kwargs)

        self.assertEqual(1, Workflow.objects.count())

    def test_does_not_care_about_the_order_of_keys(self):
        """Keyword arguments and dicts are equal in any order."""
        takes_order.using(id="one").start(note="x", order=7, urgent=True)
        echoes.using(id="two").start({"a": 1, "b": [2]})

        takes_order.using(id="one").start(7, urgent=True, note="x")
        echoes.using(id="two").start({"b": [2], "a": 1})

        self.assertEqual(2, Workflow.objects.count())

    def test_ignores_the_other_options(self):
        """Queue, priority and delay of the second start change nothing."""
        first = takes_order.using(id="order-7").start(7)

        takes_order.using(id="order-7", queue="second", priority=9, delay=60).start(7)

        self.assertEqual(("default", 0, None), (row(first).queue, row(first).priority, row(first).run_after))


class AConflict(TestCase):
    def setUp(self):
        self.first = takes_order.using(id="order-7").start(7)

    def assert_conflict(self, definition, *args):
        with self.assertRaises(WorkflowConflict) as caught:
            definition.using(id="order-7").start(*args)
        self.assertEqual("order-7", caught.exception.workflow_id)
        self.assertIsInstance(caught.exception, DurableError)
        self.assertEqual(1, Workflow.objects.count())
        return str(caught.exception)

    def test_of_arguments_is_loud(self):
        """Other arguments under the same id: the error says so and names both ways out."""
        words = self.assert_conflict(takes_order, 8)

        self.assertIn("a 'sample.takes_order' with other arguments", words)
        self.assertIn("on_duplicate='return_existing'", words)

    def test_of_types_is_one_of_arguments(self):
        """7, 7.0, True and "7" are four different arguments."""
        for other in (7.0, "7", True):
            with self.subTest(other=other):
                self.assert_conflict(takes_order, other)

    def test_of_names_is_loud(self):
        """Another workflow under the same id: both names are shown."""
        words = self.assert_conflict(two_marks, 7)

        self.assertIn("'sample.takes_order'", words)
        self.assertIn("'sample.two_marks'", words)

    def test_outlives_the_workflow(self):
        """A finished workflow keeps its id."""
        run_until_idle()

        self.assert_conflict(takes_order, 8)

    def test_of_arguments_may_be_accepted(self):
        """on_duplicate="return_existing" returns the first, with the first's arguments."""
        handle = takes_order.using(id="order-7", on_duplicate="return_existing").start(8)

        run_until_idle()

        self.assertEqual("7  False", handle.result())

    def test_of_names_may_not(self):
        """Another workflow is a conflict whatever on_duplicate says."""
        with self.assertRaises(WorkflowConflict):
            two_marks.using(id="order-7", on_duplicate="return_existing").start("a")

    def test_is_found_by_plain_calls_too(self):
        """A call with the id of another call's arguments raises the same."""
        with self.assertRaises(WorkflowConflict):
            takes_order.using(id="order-7")(8)


class ManyThreads(TransactionTestCase):
    def test_make_one_workflow_of_one_id(self):
        """Ten threads start one id at once: each gets a handle to the same row."""
        barrier, ids, errors = threading.Barrier(10), [], []

        def start():
            try:
                barrier.wait(30)
                ids.append(two_marks.using(id="order-7").start("a").id)
            except Exception as error:
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=start) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        self.assertEqual([], errors)
        self.assertEqual(["order-7"] * 10, ids)
        self.assertEqual(1, Workflow.objects.count())


class Ids(TestCase):
    def test_of_every_kind_of_text_are_kept_as_they_are(self):
        """Emoji, combining accents, quotes, slashes, percent signs and both cases are different ids."""
        names = [
            "order/7", "order%7", "order'7", 'order"7', "Order-7", "order-7", "é", "e\u0301", "日本", "😀", "a b",
            "\\u0000", "x" * 255, "😀" * 255,
        ]  # fmt: skip
        handles = [takes_order.using(id=name).start(7) for name in names]

        self.assertEqual(names, [get_handle(handle.id).workflow.pk for handle in handles])
        self.assertEqual(len(names), Workflow.objects.count())
