"""@workflow(retry=): the whole run again after a failure, replaying what succeeded."""

from django.test import TestCase

from durable_django import Retry, step, workflow
from durable_django.testing import crash_before, run_until_idle, travel
from tests.behaviour.support import labels, row, steps
from tests.sample.models import Mark
from tests.sample.workflows import mark

ERRORS = []


@step
def stumble():
    Mark.objects.create(label="stumble")
    if ERRORS:
        raise ERRORS.pop(0)
    return "done"


@workflow(retry=Retry(max_attempts=3, base_seconds=10, factor=2, jitter=0, retry_on=(OSError,)))
def tries_again():
    mark("first")
    return stumble()


@workflow(retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def tries_its_own_code_again():
    mark("first")
    if ERRORS:
        raise ERRORS.pop(0)
    return mark("last")


@workflow(retry=Retry(max_attempts=3, base_seconds=10, jitter=0))
def cannot_be_stored():
    mark("first")
    return object()


class AFailedRun(TestCase):
    def setUp(self):
        self.addCleanup(ERRORS.clear)

    def run_at(self, *moments):
        for seconds in moments:
            with travel(seconds=seconds):
                run_until_idle()

    def test_is_put_back_for_later(self):
        """WAITING until the pause is over, with the error for operators to read, and no worker."""
        ERRORS[:] = [OSError("no answer")]
        handle = tries_again.start()

        run_until_idle()

        waiting = row(handle)
        self.assertEqual(
            ("waiting", "retry", None, 1), (waiting.status, waiting.waiting_for, waiting.worker, waiting.failures)
        )
        self.assertIn("no answer", waiting.error)
        self.assertAlmostEqual(10, (waiting.run_after - waiting.claimed_at).total_seconds(), delta=5)

    def test_replays_what_succeeded(self):
        """The step that failed runs again, those before it do not."""
        ERRORS[:] = [OSError(1), OSError(2)]
        handle = tries_again.start()
        self.run_at(0, 11, 32)

        self.assertEqual("done", handle.result())
        self.assertEqual(["first", "stumble", "stumble", "stumble"], labels())
        self.assertEqual(["mark", "stumble"], steps(handle))
        self.assertIsNone(row(handle).error)

    def test_fails_when_no_retry_is_left(self):
        """With the last error, as it is."""
        ERRORS[:] = [OSError(1), OSError(2), OSError(3)]
        handle = tries_again.start()
        self.run_at(0, 11, 32)

        with self.assertRaises(OSError) as caught:
            handle.result()
        self.assertEqual((3,), caught.exception.args)

    def test_fails_at_once_with_an_error_of_another_class(self):
        """Only what retry_on names is worth a run."""
        ERRORS[:] = [LookupError("gone")]
        handle = tries_again.start()
        run_until_idle()

        with self.assertRaisesMessage(LookupError, "gone"):
            handle.result()

    def test_is_retried_for_errors_of_its_own_code(self):
        """Also where no step failed."""
        ERRORS[:] = [ValueError()]
        handle = tries_its_own_code_again.start()
        self.run_at(0, 11)

        self.assertEqual("last", handle.result())
        self.assertEqual(["first", "last"], labels())

    def test_keeps_its_count_in_a_crash(self):
        """A lost worker resets neither the number of failures nor the time."""
        ERRORS[:] = [OSError(1), OSError(2), OSError(3)]
        handle = tries_again.start()
        run_until_idle()
        with travel(seconds=11), crash_before(stumble):
            run_until_idle()
        self.run_at(12, 33, 100)

        self.assertEqual(("failed", 3), (row(handle).status, labels().count("stumble")))

    def test_is_not_retried_for_a_result_that_cannot_be_stored(self):
        """It would only repeat the effects: retries of steps leave it, too."""
        handle = cannot_be_stored.start()
        self.run_at(0, 11, 32)

        self.assertEqual("failed", row(handle).status)
        self.assertEqual(1, row(handle).attempt)

    def test_starts_its_count_anew_when_resumed(self):
        """An operator's resume gives all retries back."""
        ERRORS[:] = [OSError(1), OSError(2), OSError(3), OSError(4)]
        handle = tries_again.start()
        self.run_at(0, 11, 32)
        row(handle).resume()
        self.run_at(33)

        self.assertEqual(("waiting", 1), (row(handle).status, row(handle).failures))
