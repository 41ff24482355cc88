"""Retries of steps: counted and timed in the database, with backoff and jitter, until they are exhausted."""

from unittest import mock

from django.test import TestCase

from durable_django import RetriesExhausted, Retry, StepError, step, workflow
from durable_django.models import Step
from durable_django.testing import crash_before, run_until_idle, travel
from tests.behaviour.support import labels, row
from tests.sample.models import Mark
from tests.sample.workflows import mark, mark_atomically

ERRORS = []


def fail_next(*errors):
    """Let the next calls of the samples below fail with these errors, in turn."""
    ERRORS[:] = errors


def call_provider(label):
    Mark.objects.create(label=label)
    if ERRORS:
        raise ERRORS.pop(0)
    return label


@step(retry=Retry(max_attempts=4, base_seconds=10, factor=3, max_seconds=60, jitter=0, retry_on=(OSError, ValueError)))
def patient(label):
    return call_provider(label)


@step(retry=Retry(max_attempts=3, base_seconds=0, jitter=0))
def hasty(label):
    return call_provider(label)


@step(atomic=True, retry=Retry(max_attempts=3, base_seconds=10, jitter=0))
def patient_atomic(label):
    return call_provider(label)


@workflow
def asks_patiently():
    mark("before")
    return patient("try")


@workflow
def asks_hastily():
    mark_atomically("before")
    try:
        return hasty("try")
    except RetriesExhausted as error:
        return [str(error), type(error.__cause__).__name__, error.attempts]


@workflow
def asks_patiently_and_atomically():
    return patient_atomic("try")


class RetryTestCase(TestCase):
    def setUp(self):
        self.addCleanup(fail_next)

    def wait_after_first_failure(self, handle):
        """Return the seconds that the row of the retrying step waits."""
        kept = Step.objects.get(workflow=handle.id, finished_at=None)
        return (kept.next_retry_at - kept.started_at).total_seconds()


class AFailedStep(RetryTestCase):
    def test_is_called_again_after_longer_and_longer_pauses(self):
        """Pauses of 10, 30 and 60 seconds (base, factor, cap), then success."""
        fail_next(OSError(1), OSError(2), ValueError(3))
        handle = asks_patiently.start()
        attempts = []
        for seconds in (0, 5, 11, 30, 42, 90, 103):
            with travel(seconds=seconds):
                run_until_idle()
            attempts.append(labels().count("try"))

        self.assertEqual([1, 1, 2, 2, 3, 3, 4], attempts)
        self.assertEqual("try", handle.result())

    def test_gives_the_thread_back_while_it_waits(self):
        """A pause over a second suspends: WAITING, no worker, and until when."""
        fail_next(OSError())
        handle = asks_patiently.start()

        run_until_idle()

        workflow_row = row(handle)
        self.assertEqual(
            ("waiting", "retry", None), (workflow_row.status, workflow_row.waiting_for, workflow_row.worker)
        )
        self.assertAlmostEqual(10, (workflow_row.run_after - workflow_row.claimed_at).total_seconds(), delta=5)

    def test_shows_its_last_error_in_the_row(self):
        """Between two retries the row has the error and the count, and no end."""
        fail_next(OSError("no answer"))
        handle = asks_patiently.start()

        run_until_idle()

        kept = Step.objects.get(workflow=handle.id, name="patient")
        self.assertEqual(("retrying", 1), (kept.state, kept.retries))
        self.assertIn("no answer", kept.error)
        self.assertIsNone(kept.finished_at)

    def test_that_succeeds_forgets_the_error(self):
        """The final record is the value alone, with the count of the calls that failed."""
        fail_next(OSError())
        handle = asks_patiently.start()
        run_until_idle()
        with travel(seconds=11):
            run_until_idle()

        kept = Step.objects.get(workflow=handle.id, name="patient")
        self.assertEqual(("done", 1, None, '"try"'), (kept.state, kept.retries, kept.error, kept.output))
        self.assertIsNone(kept.next_retry_at)

    def test_waits_a_short_pause_in_the_thread(self):
        """Up to a second it stays in one attempt."""
        fail_next(OSError(), OSError())
        handle = asks_hastily.start()

        run_until_idle()

        self.assertEqual("try", handle.result())
        self.assertEqual((1, 3), (row(handle).attempt, labels().count("try")))

    def test_does_not_repeat_the_steps_before_it(self):
        """Each retry replays what succeeded."""
        fail_next(OSError(), OSError())
        asks_patiently.start()
        for seconds in (0, 11, 42):
            with travel(seconds=seconds):
                run_until_idle()

        self.assertEqual(["before", "try", "try", "try"], labels())

    def test_that_is_atomic_leaves_no_writes(self):
        """Each failed call is rolled back whole; only the count stays."""
        fail_next(OSError(), OSError())
        handle = asks_patiently_and_atomically.start()
        for seconds in (0, 11, 32):
            with travel(seconds=seconds):
                run_until_idle()

        self.assertEqual("try", handle.result())
        self.assertEqual(["try"], labels())
        self.assertEqual(2, Step.objects.get().retries)


class TheLastFailure(RetryTestCase):
    def test_is_retries_exhausted(self):
        """Step, count and last error are told; the last error is the cause; it is a StepError."""
        fail_next(*[OSError(f"try {number}") for number in range(1, 5)])
        handle = asks_patiently.start()
        for seconds in (0, 11, 42, 103):
            with travel(seconds=seconds):
                run_until_idle()

        with self.assertRaises(RetriesExhausted) as caught:
            handle.result()
        error = caught.exception
        self.assertIsInstance(error, StepError)
        self.assertEqual("Step 'patient' failed 4 times; the last error was OSError: try 4", str(error))
        self.assertEqual(("patient", 4, "OSError: try 4"), (error.step, error.attempts, error.last_error))
        self.assertEqual((OSError, ("try 4",)), (type(error.__cause__), error.__cause__.args))

    def test_can_be_caught_by_the_workflow(self):
        """It is an outcome like any other, recorded once, and the same at replay."""
        fail_next(KeyError(1), KeyError(2), KeyError(3))
        handle = asks_hastily.start()
        run_until_idle()

        self.assertEqual(
            ["Step 'hasty' failed 3 times; the last error was KeyError: 3", "KeyError", 3], handle.result()
        )

    def test_of_another_class_ends_it_at_once(self):
        """What retry_on does not name is raised as it is."""
        fail_next(OSError(), LookupError("gone"))
        handle = asks_patiently.start()
        for seconds in (0, 11):
            with travel(seconds=seconds):
                run_until_idle()

        with self.assertRaisesMessage(LookupError, "gone"):
            handle.result()
        self.assertEqual(2, labels().count("try"))

    def test_is_not_followed_by_a_pause(self):
        """The workflow goes on in the attempt in which the retries ended; F13."""
        fail_next(*[OSError() for _ in range(4)])
        handle = asks_patiently.start()
        for seconds in (0, 11, 42):
            with travel(seconds=seconds):
                run_until_idle()
        with travel(seconds=103):
            runs = run_until_idle()

        self.assertEqual((1, "failed"), (runs, row(handle).status))


class ACrashAmongRetries(RetryTestCase):
    def test_resets_neither_count_nor_time(self):
        """Killed before the second call: the next attempt waits for the same moment and makes the second call; F14."""
        fail_next(OSError(), OSError(), OSError(), OSError())
        handle = asks_patiently.start()
        run_until_idle()
        with travel(seconds=11), crash_before(patient):
            run_until_idle()
        waits = self.wait_after_first_failure(handle)
        for seconds in (12, 43, 104):
            with travel(seconds=seconds):
                run_until_idle()

        self.assertAlmostEqual(10, waits, delta=5)
        with self.assertRaisesMessage(RetriesExhausted, "failed 4 times"):
            handle.result()
        self.assertEqual(4, labels().count("try"))

    def test_before_the_moment_waits_for_it(self):
        """A workflow that is claimed too early (resumed by an operator) suspends again, for the rest of the time."""
        fail_next(OSError())
        handle = asks_patiently.start()
        run_until_idle()
        row(handle).pause()
        row(handle).resume()
        with travel(seconds=5):
            run_until_idle()

        self.assertEqual("waiting", row(handle).status)
        self.assertEqual(1, labels().count("try"))
        with travel(seconds=11):
            run_until_idle()
        self.assertEqual("try", handle.result())


class Jitter(RetryTestCase):
    def test_varies_the_pause(self):
        """By at most its share in either direction, never over the cap."""
        retry = Retry(base_seconds=100, jitter=0.2, max_seconds=110)
        for chance, pause in ((0.0, 80), (0.5, 100), (0.999, 110)):
            with self.subTest(chance=chance), mock.patch("random.random", return_value=chance):
                self.assertAlmostEqual(pause, retry.delay_after(1, OSError()), delta=0.1)
