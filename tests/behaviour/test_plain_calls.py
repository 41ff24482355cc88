"""A plain call of a workflow: here and now, durably, with its result."""

import threading
from contextlib import contextmanager
from unittest import mock

from django.db import connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory, TestCase, TransactionTestCase, override_settings

from durable_django import InsideTransaction, Retry, WorkflowCancelled, current_workflow
from durable_django.base.interrupts import Crashed
from durable_django.engine import attempts, strays
from durable_django.models import Worker, Workflow, workflow_queryset
from durable_django.testing import crash_before, run_until_idle
from tests.behaviour.support import acting, elsewhere, eventually, labels, presence_ends, statements, steps, summary
from tests.sample.promises import acts, fails, takes_order
from tests.sample.workflows import Flaky, mark, retried, two_marks


class PlainCallTestCase(TransactionTestCase):
    def setUp(self):
        block = presence_ends()
        block.__enter__()
        self.addCleanup(block.__exit__, None, None, None)


@contextmanager
def at_once():
    """Let strays be looked for without the pause that a claim needs to get into a hand."""
    with mock.patch.object(strays, "WAIT_SECONDS", 0), mock.patch.object(workflow_queryset, "_STRAY_SECONDS", 0):
        yield


class ACall(PlainCallTestCase):
    def test_runs_the_workflow_and_returns_its_result(self):
        """Steps are recorded and the row ends as any other."""
        value = two_marks("a")

        workflow = Workflow.objects.get()
        self.assertEqual(["a-atomic", "a-plain"], value)
        self.assertEqual(("succeeded", 1, None), (workflow.status, workflow.attempt, workflow.worker))
        self.assertIsNotNone(workflow.finished_at)
        self.assertEqual(2, workflow.steps.count())

    def test_raises_the_workflows_own_error(self):
        """The original class and arguments."""
        with self.assertRaises(ZeroDivisionError) as caught:
            fails(ZeroDivisionError("by hand"))

        self.assertEqual(("by hand",), caught.exception.args)
        self.assertEqual("failed", Workflow.objects.get().status)

    def test_with_an_id_is_idempotent(self):
        """A second call with the id returns the first's result without running it again."""
        first = two_marks.using(id="order-7")("a")
        second = two_marks.using(id="order-7")("a")

        self.assertEqual(first, second)
        self.assertEqual(["a-atomic", "a-plain"], labels())

    def test_claims_in_the_statement_that_inserts(self):
        """No worker can come in between: the row is RUNNING when it is first seen."""
        with statements() as seen:
            takes_order(7)

        writes = [each for each in summary(seen) if each.endswith("workflow") and not each.startswith("SELECT")]
        self.assertEqual(["INSERT workflow", "UPDATE workflow"], writes)

    def test_has_a_worker_row_with_a_lease(self):
        """Its process is known, so that others can tell whether it still lives."""

        def look():
            return elsewhere(lambda: Worker.objects.alive().get().name)

        with acting(look):
            name = acts()

        self.assertEqual("plain calls", name)

    def test_needs_no_queue(self):
        """A call on a queue that is paused, or that no worker serves, runs all the same."""
        self.assertEqual("7  False", takes_order.using(queue="second")(7))

    def test_waits_through_a_retry(self):
        """A step that is retried later suspends; the thread waits and claims the workflow again when it is due."""
        self.addCleanup(setattr, Flaky, "failures", 0)
        Flaky.failures = 1

        with mock.patch.object(Retry, "_pause", lambda *_: 1.1):
            value = retried("a")

        self.assertEqual("a", value)
        self.assertEqual((2, 1), (Workflow.objects.get().attempt, Workflow.objects.get().steps.get().retries))

    def test_with_a_delay_waits_for_it(self):
        """delay= holds for calls too."""
        value = takes_order.using(delay=0.2)(7)

        workflow = Workflow.objects.get()
        self.assertEqual("7  False", value)
        self.assertGreaterEqual((workflow.started_at - workflow.created_at).total_seconds(), 0.2)

    def test_that_is_cancelled_raises(self):
        """WorkflowCancelled, with the reason, after the running step."""

        def cancel():
            elsewhere(lambda: Workflow.objects.get().cancel("no longer wanted"))

        with acting(cancel), self.assertRaisesMessage(WorkflowCancelled, "no longer wanted"):
            acts()

        self.assertEqual(["before"], labels())

    def test_from_many_threads_is_one_worker(self):
        """Threads of one process share its Worker row and its heartbeat."""
        barrier, values = threading.Barrier(4), []

        def call(number):
            barrier.wait(30)
            try:
                values.append(takes_order(number))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=call, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        self.assertEqual({f"{number}  False" for number in range(4)}, set(values))
        self.assertEqual(1, Worker.objects.count())

    async def test_has_an_async_twin(self):
        """acall() runs in a thread of its own, whose connection it closes."""
        self.assertEqual("7  False", await takes_order.acall(7))

    def test_that_is_interrupted_is_put_back(self):
        """Ctrl-C between claim and run: the row is runnable again while the process and its lease live."""
        for interrupt in (KeyboardInterrupt, SystemExit):
            with self.subTest(interrupt=interrupt.__name__), at_once():
                with mock.patch.object(attempts, "attempt", side_effect=interrupt), self.assertRaises(interrupt):
                    takes_order.using(id=interrupt.__name__)(7)

                eventually(Workflow.objects.filter(pk=interrupt.__name__).queued().exists, "the row was put back")
                self.assertTrue(Worker.objects.alive().exists())

    def test_whose_process_is_given_up_leaves_a_lease_that_ends(self):
        """A lease after the last call the process gives up row and heartbeat thread."""
        with override_settings(DURABLE_DJANGO={"LEASE_SECONDS": 1, "HEARTBEAT_SECONDS": 0.05}):
            takes_order(7)
            eventually(lambda: not Worker.objects.alive().exists(), "the lease of the plain call ended")
            eventually(lambda: "durable-presence" not in {t.name for t in threading.enumerate()}, "the thread ended")

        self.assertEqual(1, Worker.objects.count())


class InsideATransaction(PlainCallTestCase):
    def test_a_call_is_refused(self):
        """InsideTransaction says why, and names .start() and non_atomic_requests; nothing is written."""
        with transaction.atomic(), self.assertRaises(InsideTransaction) as caught:
            two_marks("a")

        self.assertIn("two_marks.start(...)", str(caught.exception))
        self.assertIn("non_atomic_requests", str(caught.exception))
        self.assertFalse(Workflow.objects.exists())

    def test_the_refusal_is_what_django_developers_catch(self):
        """It is a TransactionManagementError."""
        with self.assertRaises(transaction.TransactionManagementError), transaction.atomic():
            two_marks("a")


def ordering_view(_request):
    return HttpResponse(takes_order(7))


@transaction.non_atomic_requests
def non_atomic_view(_request):
    return HttpResponse(takes_order(7))


class UnderAtomicRequests(PlainCallTestCase):
    def get(self, view):
        """Call the view as Django's handler does, in the transaction that ATOMIC_REQUESTS asks for."""
        from django.core.handlers.base import BaseHandler

        settings = connections["default"].settings_dict
        with mock.patch.dict(settings, ATOMIC_REQUESTS=True):
            return BaseHandler().make_view_atomic(view)(RequestFactory().get("/"))

    def test_a_call_in_a_view_is_refused(self):
        """The view runs in atomic(): the error names the decorator that lifts it."""
        with self.assertRaisesMessage(InsideTransaction, "@transaction.non_atomic_requests"):
            self.get(ordering_view)

    def test_a_call_in_a_non_atomic_view_runs(self):
        """With the decorator it runs here and now."""
        self.assertEqual(b"7  False", self.get(non_atomic_view).content)


class UnderTestCase(TestCase):
    def test_a_call_runs_on_the_tests_connection(self):
        """The blocks of a TestCase are not the user's: the call runs in them and is rolled back with them."""
        self.assertEqual(["a-atomic", "a-plain"], two_marks("a"))
        self.assertFalse(Worker.objects.exists())

    def test_a_call_in_a_block_of_the_test_is_refused(self):
        """The user's own atomic() counts, as it does for atomic(durable=True)."""
        with self.assertRaises(InsideTransaction), transaction.atomic():
            two_marks("a")

    def test_a_call_whose_process_dies_is_finished_by_a_worker(self):
        """On the declared queue, behind the last step."""
        with crash_before(mark), self.assertRaises(Crashed):
            two_marks("a")
        run_until_idle()

        self.assertEqual(["a-atomic", "a-plain"], labels())
        self.assertEqual(("succeeded", 2), Workflow.objects.values_list("status", "attempt").get())

    def test_a_wait_without_end_is_refused(self):
        """A call that nothing in this thread can end raises and names run_until_idle()."""
        with self.assertRaisesMessage(InsideTransaction, "run_until_idle()"):
            takes_order.using(delay=60)(7)

    def test_a_call_of_a_started_workflow_runs_it(self):
        """A workflow that was started and is due is claimed by the thread that waits for it."""
        takes_order.using(id="order-7").start(7)

        value = takes_order.using(id="order-7")(7)

        self.assertEqual("7  False", value)
        self.assertEqual(0, run_until_idle())

    async def test_an_async_call_runs_on_the_tests_connection(self):
        """acall() sees the rows of the test, and is rolled back with them."""
        handle = await takes_order.using(id="order-7").astart(7)

        self.assertEqual("7  False", await takes_order.using(id="order-7").acall(7))
        self.assertEqual("7  False", await handle.aresult())

    def test_a_call_knows_itself(self):
        """current_workflow() is set in the call and None after it, and steps are recorded."""
        with acting(lambda: current_workflow().name):
            name = acts()

        self.assertEqual("sample.acts", name)
        self.assertIsNone(current_workflow())
        self.assertEqual(["mark_atomically", "act", "mark"], steps(mock.Mock(id=Workflow.objects.get().pk)))
