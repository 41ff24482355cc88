"""A step's timeout bounds one call of its body; the late thread's outcome is refused."""

from datetime import timedelta
from unittest import mock, skipUnless

from django.db import connection
from django.test import TestCase, TransactionTestCase

from durable_django import RetriesExhausted, Retry, StepError, StepTimeout, step, workflow
from durable_django.base import clock
from durable_django.engine import context, retrying, wakeups
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import elsewhere, labels, row, steps
from tests.sample.models import Mark
from tests.sample.workflows import mark

LIMIT = 60
LATE = []


class Watch:
    """The clock of this process, moved forward by those who are late."""

    read = staticmethod(clock.elapsed_seconds)
    moved = 0.0

    @classmethod
    def elapsed_seconds(cls):
        return cls.read() + cls.moved


def be_late(label):
    """Take longer than the timeout, as often as the list says; what it holds is done meanwhile."""
    Mark.objects.create(label=label)
    if LATE:
        act = LATE.pop(0)
        Watch.moved += 2 * LIMIT
        act()
    return label


class Timed:
    """Sets the clock of the samples."""

    def setUp(self):
        self.addCleanup(LATE.clear)
        for patched in (
            mock.patch.object(clock, "elapsed_seconds", Watch.elapsed_seconds),
            # A ring in the future would keep the next ones silent.
            mock.patch.dict(wakeups._last_ring),
        ):
            patched.start()
            self.addCleanup(patched.stop)


def beat():
    """Do what the heartbeat's thread does with calls over their timeout. Return what came of each."""
    timeouts = context.current_run().owner.timeouts
    return elsewhere(lambda: [retrying.time_out(call) for call in timeouts.due()])


def nothing():
    """Let the body notice by itself."""


@step(timeout=LIMIT)
def bounded(label):
    return be_late(label)


@step(timeout=timedelta(seconds=LIMIT), atomic=True)
def bounded_atomic(label):
    return be_late(label)


@step(timeout=LIMIT, retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def bounded_retried(label):
    return be_late(label)


@workflow
def waits_for_bounded():
    value = bounded("body")
    mark("after")
    return value


@workflow
def waits_for_bounded_atomic():
    return bounded_atomic("body")


@workflow
def waits_for_bounded_retried():
    return bounded_retried("body")


@workflow
def catches_the_timeout():
    try:
        return bounded("body")
    except TimeoutError as error:
        return str(error)


class ABodyThatReturnsLate(Timed, TestCase):
    def test_fails_with_step_timeout(self):
        """It tells step, timeout and attempt, and is a TimeoutError."""
        LATE[:] = [nothing]
        handle = waits_for_bounded.start()
        run_until_idle()

        with self.assertRaises(StepTimeout) as caught:
            handle.result()
        self.assertIsInstance(caught.exception, TimeoutError)
        self.assertIsInstance(caught.exception, StepError)
        self.assertEqual("Step 'bounded' took longer than its timeout of 60.0 s (attempt 1).", str(caught.exception))

    def test_can_be_caught(self):
        """The workflow's code sees a TimeoutError."""
        LATE[:] = [nothing]
        handle = catches_the_timeout.start()

        run_until_idle()

        self.assertIn("took longer than its timeout", handle.result())

    def test_is_rolled_back_if_atomic(self):
        """No write of the late body stays."""
        LATE[:] = [nothing]
        handle = waits_for_bounded_atomic.start()

        run_until_idle()

        self.assertEqual("failed", row(handle).status)
        self.assertEqual([], labels())

    def test_is_retried_like_other_errors(self):
        """The timeout holds for each call anew."""
        LATE[:] = [nothing]
        handle = waits_for_bounded_retried.start()
        run_until_idle()
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual("body", handle.result())
        self.assertEqual(1, Step.objects.get().retries)

    def test_that_is_in_time_is_not_bothered(self):
        """A quick body returns its value."""
        handle = waits_for_bounded.start()

        run_until_idle()

        self.assertEqual("body", handle.result())


class WhenTheHeartbeatNoticesFirst(Timed, TransactionTestCase):
    def test_the_timeout_is_recorded_while_the_body_still_runs(self):
        """The step's row holds StepTimeout, and the workflow is back in its queue."""
        seen = []

        def look():
            beat()
            seen.append(elsewhere(lambda: (Step.objects.get().error, Workflow.objects.get().status)))

        LATE[:] = [look]
        waits_for_bounded.start()

        run_until_idle()

        error, status = seen[0]
        self.assertIn("StepTimeout", error)
        self.assertEqual("queued", status)

    def test_the_late_record_is_refused(self):
        """What the late thread returns is dropped; the next attempt sees the timeout and runs no body again."""
        LATE[:] = [beat]
        handle = waits_for_bounded.start()

        run_until_idle()

        with self.assertRaises(StepTimeout):
            handle.result()
        self.assertEqual(["body"], labels())
        self.assertEqual(["bounded"], steps(handle))
        self.assertEqual(2, row(handle).attempt)

    def test_a_retry_is_counted_once(self):
        """Timed out with retries left: the next call comes after the pause, and is the second."""
        LATE[:] = [beat]
        handle = waits_for_bounded_retried.start()
        run_until_idle()
        waiting = row(handle)
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual(("queued", True), (waiting.status, waiting.run_after is not None))
        self.assertEqual("body", handle.result())
        self.assertEqual((1, ["body", "body"]), (Step.objects.get().retries, labels()))

    def test_the_last_retry_ends_it(self):
        """RetriesExhausted, caused by the StepTimeout."""
        LATE[:] = [beat, beat]
        handle = waits_for_bounded_retried.start()
        for seconds in (0, 11):
            with travel(seconds=seconds):
                run_until_idle()

        with self.assertRaises(RetriesExhausted) as caught:
            handle.result()
        self.assertIsInstance(caught.exception.__cause__, StepTimeout)

    def test_the_workflow_may_be_cancelled_meanwhile(self):
        """A timeout of a cancelled workflow changes nothing; the workflow stays cancelled."""
        answers = []

        def cancel_and_beat():
            elsewhere(lambda: Workflow.objects.get().cancel("enough"))
            answers.extend(beat())

        LATE[:] = [cancel_and_beat]
        handle = waits_for_bounded.start()

        run_until_idle()

        self.assertEqual([False], answers)
        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).worker))

    @skipUnless(connection.vendor == "postgresql", "on SQLite nobody can write while an atomic body runs")
    def test_an_atomic_body_is_rolled_back(self):
        """The late transaction collides with the recorded timeout and takes its writes along."""
        LATE[:] = [beat]
        handle = waits_for_bounded_atomic.start()

        run_until_idle()

        with self.assertRaises(StepTimeout):
            handle.result()
        self.assertEqual([], labels())
