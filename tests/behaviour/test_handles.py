"""Handles: the status of a workflow, its result, its error, and waiting for either."""

import threading
from datetime import timedelta

from django.core.exceptions import ObjectDoesNotExist
from django.db import connections, transaction
from django.test import TestCase, TransactionTestCase

from durable_django import (
    DurableError,
    InsideTransaction,
    ResultTimeout,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowHandle,
    WorkflowNotFound,
    get_handle,
    wait_all,
    wait_first,
    workflow,
)
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import row
from tests.sample.promises import echoes, fails
from tests.sample.workflows import two_marks


@workflow
def waits_for_several(ids, *, for_all):
    """Waits for workflows that it did not start itself."""
    handles = [WorkflowHandle(each) for each in ids]
    wait_all(handles) if for_all else wait_first(handles)


class AHandle(TestCase):
    def test_shows_the_status_as_of_the_last_refresh(self):
        """status and workflow do not change behind the reader's back."""
        handle = two_marks.start("a")
        before = handle.status
        run_until_idle()
        unrefreshed = handle.status
        refreshed = handle.refresh().status

        self.assertEqual(("queued", "queued", "succeeded"), (before, unrefreshed, refreshed))

    def test_can_be_got_by_id(self):
        """get_handle(id) finds any workflow."""
        started = two_marks.start("a")
        run_until_idle()

        self.assertEqual(["a-atomic", "a-plain"], get_handle(started.id).result())

    def test_of_nothing_is_an_error(self):
        """WorkflowNotFound names the id, and is an ObjectDoesNotExist."""
        for act in (
            lambda: get_handle("order-9"),
            lambda: WorkflowHandle("order-9").refresh(),
            lambda: WorkflowHandle("order-9").status,
            lambda: WorkflowHandle("order-9").result(),
        ):
            with self.assertRaisesMessage(WorkflowNotFound, "'order-9'") as caught:
                act()
            self.assertIsInstance(caught.exception, ObjectDoesNotExist)

    def test_says_what_it_is(self):
        """repr() shows the id."""
        self.assertEqual("<WorkflowHandle order-7>", repr(two_marks.using(id="order-7").start("a")))


class AResult(TestCase):
    def test_is_the_value(self):
        """As it was returned, type and all."""
        value = {"a": (1, 2), "b": {3}, "c": None}
        handle = echoes.start(value)

        run_until_idle()

        self.assertEqual(value, handle.result())

    def test_of_a_failure_is_the_original_exception(self):
        """Class and arguments are the original's; the traceback comes as a note."""
        handle = fails.start(LookupError("order", 7))
        run_until_idle()

        with self.assertRaises(LookupError) as caught:
            handle.result()

        self.assertIs(LookupError, type(caught.exception))
        self.assertEqual(("order", 7), caught.exception.args)
        self.assertTrue(any("in fail" in note for note in caught.exception.__notes__))

    def test_of_a_failure_whose_class_is_not_loaded_is_workflow_failed(self):
        """Type, message and traceback are told; nothing of the row is imported."""
        handle = fails.start(LookupError("x"))
        run_until_idle()
        stored = row(handle).error.replace("LookupError", "GoneError").replace("builtins", "gone.module")
        Workflow.objects.update(error=stored)

        with self.assertRaises(WorkflowFailed) as caught:
            handle.result()

        error = caught.exception
        self.assertEqual((handle.id, "x"), (error.workflow_id, error.error))
        self.assertIn("GoneError", error.type)
        self.assertIn("in fail", error.traceback)

    def test_of_a_cancelled_workflow_is_an_error(self):
        """WorkflowCancelled tells the reason, or that there is none."""
        for reason, words in (("out of stock", "(out of stock)"), ("", "(no reason given)")):
            handle = two_marks.start("a")
            row(handle).cancel(reason)
            with self.subTest(reason=reason), self.assertRaisesMessage(WorkflowCancelled, words):
                handle.result()


class AWaitInATestCase(TestCase):
    def test_that_cannot_end_is_refused(self):
        """No worker sees the test's rows: the error names run_until_idle()."""
        with self.assertRaisesMessage(InsideTransaction, "run_until_idle()"):
            two_marks.start("a").result()

    async def test_through_the_async_twin_is_refused_too(self):
        """aresult() looks on the test's connection, and waits as little."""
        handle = await two_marks.astart("a")

        with self.assertRaisesMessage(InsideTransaction, "run_until_idle()"):
            await handle.aresult()


class AWait(TransactionTestCase):
    def run_soon(self):
        """Run what there is in another thread, as a worker would."""

        def work():
            try:
                run_until_idle()
            finally:
                connections.close_all()

        thread = threading.Thread(target=work)
        self.addCleanup(thread.join, 60)
        thread.start()

    def test_ends_when_the_workflow_ends(self):
        """result() blocks until then."""
        handle = two_marks.start("a")
        self.run_soon()

        self.assertEqual(["a-atomic", "a-plain"], handle.result(timeout=60))

    async def test_has_an_async_twin(self):
        """aresult() does not block the event loop."""
        handle = await two_marks.astart("a")
        self.run_soon()

        self.assertEqual(["a-atomic", "a-plain"], await handle.aresult(timeout=60))
        self.assertEqual("succeeded", (await handle.arefresh()).status)

    def test_ends_at_its_timeout(self):
        """ResultTimeout is a TimeoutError and tells the status; the workflow goes on."""
        handle = two_marks.start("a")

        for timeout in (0, 0.01, timedelta(milliseconds=10)):
            with self.subTest(timeout=timeout), self.assertRaisesMessage(ResultTimeout, "(it is queued)") as caught:
                handle.result(timeout=timeout)
            self.assertIsInstance(caught.exception, TimeoutError)
            self.assertIsInstance(caught.exception, DurableError)
        run_until_idle()
        self.assertEqual(["a-atomic", "a-plain"], handle.result(timeout=0))

    def test_inside_a_transaction_is_refused_if_it_would_wait(self):
        """Inside atomic() the workflow cannot end before the block does."""
        handle = two_marks.start("a")
        with transaction.atomic(), self.assertRaisesMessage(InsideTransaction, "Wait after the block"):
            handle.result()

        run_until_idle()
        with transaction.atomic():
            self.assertEqual(["a-atomic", "a-plain"], handle.result())

    def test_for_a_workflow_that_is_deleted_ends(self):
        """A waiter is told that the row is gone instead of asking for ever."""
        handle = two_marks.start("a")
        Workflow._base_manager.all().delete()

        with self.assertRaises(WorkflowNotFound):
            handle.result(timeout=60)

    def test_refuses_timeouts_that_cannot_be(self):
        """Negative, NaN and other types are refused by name."""
        handle = two_marks.start("a")
        for timeout, error in ((-1, ValueError), (float("nan"), ValueError), ("5", TypeError), (True, TypeError)):
            with self.subTest(timeout=timeout), self.assertRaisesMessage(error, "timeout"):
                handle.result(timeout=timeout)


class WaitingForSeveralOfWhichOneIsGone(TestCase):
    def test_outside_of_workflows_says_which(self):
        """It can end no more, so nobody waits for it."""
        handles = [two_marks.start("a"), WorkflowHandle("gone")]
        for wait in (wait_first, wait_all):
            with self.subTest(wait=wait.__name__), self.assertRaises(WorkflowNotFound) as caught:
                wait(handles, timeout=60)
            self.assertEqual("gone", caught.exception.workflow_id)

    def test_in_a_workflow_says_which(self):
        """The answer is recorded as any other."""
        for for_all in (False, True):
            handle = waits_for_several.start([two_marks.start("a").id, "gone"], for_all=for_all)
            run_until_idle()
            with self.subTest(for_all=for_all), self.assertRaises(WorkflowNotFound) as caught:
                handle.result()
            self.assertEqual("gone", caught.exception.workflow_id)
