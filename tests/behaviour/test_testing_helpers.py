"""durable_django.testing: workflows in a plain TestCase, without worker, thread or sleep."""

import threading

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from durable_django import Queue, step, workflow
from durable_django.models import Worker, Workflow
from durable_django.testing import crash_after, crash_before, run_until_idle, travel
from tests.behaviour.support import acting, labels, row
from tests.sample.looping import amark, mixes_steps
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_itself, second_queue, takes_order
from tests.sample.workflows import Flaky, mark, mark_atomically, retried, two_marks


@step
def respawn():
    Workflow.objects.filter(name="tests.never_ends").update(recoveries=0)


def verb(query):
    return query["sql"].lstrip("(").split()[0]


@workflow
def never_ends():
    """Puts itself back for ever."""
    Workflow.objects.filter(status="running").update(status="queued", worker=None)
    respawn()


class RunUntilIdle(TestCase):
    def test_counts_attempts(self):
        """It returns how many attempts were run, 0 when there is nothing."""
        two_marks.start("a")
        two_marks.start("b")

        self.assertEqual([2, 0], [run_until_idle(), run_until_idle()])

    def test_runs_in_the_tests_own_thread(self):
        """The workflow's code runs where the test runs."""
        with acting(threading.get_ident):
            handle = acts.start()
            run_until_idle()

        self.assertEqual(threading.get_ident(), handle.result())

    def test_serves_every_queue(self):
        """Declared queues are served, whichever a workflow is in."""
        handles = [takes_order.using(queue=name).start(1) for name in ("default", "second")]

        run_until_idle()

        self.assertEqual({"succeeded"}, {row(handle).status for handle in handles})

    def test_leaves_paused_queues(self):
        """A paused queue is served after its resume."""
        handle = takes_order.using(queue="second").start(1)
        second_queue.pause()
        before = run_until_idle()
        second_queue.resume()

        self.assertEqual((0, 1), (before, run_until_idle()))
        self.assertEqual("succeeded", row(handle).status)

    def test_leaves_no_worker_behind(self):
        """Its Worker row is gone, after a crash too."""
        two_marks.start("a")
        with crash_after(mark_atomically):
            run_until_idle()
        after_crash = Worker.objects.count()
        run_until_idle()

        self.assertEqual((0, 0), (after_crash, Worker.objects.count()))

    def test_costs_a_look_for_each_claim(self):
        """One look first, and for each claim one and the queues that have work; besides its own row's two writes."""
        run_until_idle()
        with CaptureQueriesContext(connection) as seen:
            run_until_idle()

        self.assertEqual(["INSERT", "SELECT", "SELECT", "SELECT", "DELETE"], [verb(query) for query in seen])

    def test_needs_no_row_of_its_worker(self):
        """A test that removes all workers meanwhile has its workflows run all the same."""
        with acting(Worker.objects.all().delete):
            acts.start()
            acts.start()

            self.assertEqual(2, run_until_idle())

    def test_gives_up_on_work_without_end(self):
        """A workflow that is put back for ever raises instead of hanging the test."""
        never_ends.start()

        with self.assertRaisesMessage(RuntimeError, "run_until_idle() has run 20 attempts"):
            run_until_idle(most=20)

    def test_passes_through_what_the_test_itself_raises_in_a_workflow(self):
        """A failing workflow does not fail the test: its error waits in the handle."""
        with acting(lambda: self.fail("in the workflow")):
            handle = acts.start()
            run_until_idle()

        with self.assertRaisesMessage(AssertionError, "in the workflow"):
            handle.result()


class Travel(TestCase):
    def test_moves_due_times(self):
        """What is due in an hour runs an hour later."""
        handle = takes_order.using(delay=3600).start(7)
        with travel(minutes=59):
            run_until_idle()
        early = row(handle).status
        with travel(hours=1, seconds=1):
            run_until_idle()

        self.assertEqual(("queued", "succeeded"), (early, row(handle).status))

    def test_adds_up(self):
        """A move inside a move counts from there, and each ends with its block."""
        takes_order.using(delay=3600).start(7)
        with travel(minutes=40):
            with travel(minutes=21):
                inside = Workflow.objects.due().count()
            outside = Workflow.objects.due().count()

        self.assertEqual((1, 0, 0), (inside, outside, Workflow.objects.due().count()))

    def test_moves_back_too(self):
        """Negative moves are the past."""
        with travel(days=-1):
            handle = takes_order.start(7)

        self.assertAlmostEqual(86400, (timezone.now() - row(handle).created_at).total_seconds(), delta=60)

    def test_leaves_pythons_clock_alone(self):
        """timezone.now() is what it was."""
        before = timezone.now()
        with travel(days=400):
            self.assertLess((timezone.now() - before).total_seconds(), 60)

    def test_ends_with_an_error_too(self):
        """A block left by an error moves the clock back."""
        with self.assertRaises(LookupError), travel(days=1):
            raise LookupError

        takes_order.using(delay=60).start(7)
        self.assertFalse(Workflow.objects.due().exists())


class Crashes(TestCase):
    def test_leave_the_row_as_a_kill_would(self):
        """RUNNING, with the worker that died; nothing more is written."""
        handle = two_marks.start("a")
        with crash_before(mark):
            run_until_idle()

        self.assertEqual(("running", 1), (row(handle).status, row(handle).attempt))
        self.assertTrue(row(handle).worker.startswith("test-"))

    def test_before_a_step_do_not_run_its_body(self):
        """crash_before: earlier steps are recorded, this one has not begun."""
        two_marks.start("a")
        with crash_before(mark):
            run_until_idle()

        self.assertEqual(["a-atomic"], labels())

    def test_after_a_step_have_recorded_it(self):
        """crash_after: the checkpoint is committed."""
        handle = two_marks.start("a")
        with crash_after(mark_atomically):
            run_until_idle()

        self.assertEqual((["a-atomic"], 1), (labels(), row(handle).steps.count()))

    def test_between_body_and_checkpoint(self):
        """recorded=False: the effect of a plain body stays, that of an atomic one does not."""
        for block, expected in (
            (crash_after(mark, recorded=False), ["a-atomic", "a-plain"]),
            (crash_after(mark_atomically, recorded=False), []),
        ):
            Mark.objects.all().delete()
            two_marks.start("a")
            with block:
                run_until_idle()
            self.assertEqual(expected, labels())
            Workflow._base_manager.all().delete()

    def test_kill_async_workflows_too(self):
        """An async step dies before its body, behind it, and behind its record."""
        for block in (crash_before(amark), crash_after(amark, recorded=False), crash_after(amark)):
            handle = mixes_steps.start("a")
            with block:
                run_until_idle()
            after_crash = row(handle).status
            run_until_idle()
            self.assertEqual(("running", "succeeded", 2), (after_crash, row(handle).status, row(handle).attempt))

    def test_happen_as_often_as_asked(self):
        """times=3: three attempts die, the fourth passes."""
        handle = two_marks.start("a")
        with crash_before(mark, times=3):
            for _ in range(4):
                run_until_idle()

        self.assertEqual(("succeeded", 4), (row(handle).status, row(handle).attempt))

    def test_end_with_their_block(self):
        """Behind the block the step is what it was."""
        with crash_before(mark):
            pass
        with crash_after(mark):
            pass

        self.assertEqual(["a-atomic", "a-plain"], two_marks("a"))

    def test_cannot_be_caught_by_the_workflow(self):
        """No except clause, no finally clause plays on after a death."""

        def body():
            try:
                mark("x")
            except BaseException:
                mark("y")
            finally:
                mark_atomically("z")

        for block in (crash_before(mark), crash_after(mark), crash_after(mark, recorded=False)):
            handle = acts_itself.start()
            with self.subTest(block=block), acting(body), block:
                run_until_idle()
                self.assertEqual("running", row(handle).status)
                self.assertFalse({"y", "z"} & set(labels()))
            Workflow._base_manager.all().delete()

    def test_among_retries_are_counted_by_the_row(self):
        """The count of a retrying step survives."""
        self.addCleanup(setattr, Flaky, "failures", 0)
        Flaky.failures = 1
        handle = retried.start("a")
        run_until_idle()
        with travel(seconds=11), crash_before(retried.registered.func.__globals__["flaky"]):
            run_until_idle()
        with travel(seconds=12):
            run_until_idle()

        self.assertEqual(("a", 1), (handle.refresh().result(), row(handle).steps.get().retries))


class AQueue(TestCase):
    def test_can_be_paused_before_it_has_a_row(self):
        """The declaration carries the operator's verbs."""
        queue = Queue("second")
        queue.pause()
        queue.pause()
        handle = takes_order.using(queue="second").start(1)
        paused = run_until_idle()
        queue.resume()

        self.assertEqual((0, 1), (paused, run_until_idle()))
        self.assertEqual("succeeded", row(handle).status)
