"""base/retries.py: the number of a failed attempt becomes a pause, or the end."""

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from durable_django import Retry
from durable_django.base.retries import LONGEST_DELAY_SECONDS

SECONDS = st.floats(0, LONGEST_DELAY_SECONDS)
RETRIES = st.builds(
    Retry,
    max_attempts=st.integers(1, 10**6),
    base_seconds=SECONDS,
    factor=st.floats(1, 1e6),
    max_seconds=SECONDS,
    jitter=st.floats(0, 1),
)


class APause(SimpleTestCase):
    @given(RETRIES, st.integers(1, 10**6))
    def test_is_within_bounds_whatever_is_configured(self, retry, attempt):
        """Never negative, never over max_seconds, never an overflow; None from the last attempt on."""
        delay = retry.delay_after(attempt, OSError())

        if attempt >= retry.max_attempts:
            self.assertIsNone(delay)
        else:
            self.assertIsInstance(delay, float)
            self.assertTrue(0 <= delay <= retry.max_seconds)

    @given(st.floats(0, 1000), st.floats(1, 10), st.integers(1, 50))
    def test_grows_by_the_factor_without_jitter(self, base, factor, attempt):
        """base * factor ** (attempt - 1), up to the cap."""
        retry = Retry(max_attempts=100, base_seconds=base, factor=factor, max_seconds=3600, jitter=0)

        self.assertAlmostEqual(min(base * factor ** (attempt - 1), 3600), retry.delay_after(attempt, OSError()))

    @given(st.integers(1, 20))
    def test_never_shrinks_without_jitter(self, attempt):
        """Each pause is at least as long as the one before."""
        retry = Retry(max_attempts=100, jitter=0)

        self.assertLessEqual(retry.delay_after(attempt, OSError()), retry.delay_after(attempt + 1, OSError()))

    def test_varies_with_jitter(self):
        """A hundred callers do not come back at one moment."""
        retry = Retry(max_attempts=2, base_seconds=100, jitter=0.5)
        pauses = {retry.delay_after(1, OSError()) for _ in range(100)}

        self.assertGreater(len(pauses), 50)
        self.assertTrue(all(50 <= pause <= 150 for pause in pauses))


class TheEnd(SimpleTestCase):
    def test_comes_with_the_last_attempt(self):
        """max_attempts counts the first call."""
        retry = Retry(max_attempts=3)

        self.assertIsNotNone(retry.delay_after(2, OSError()))
        self.assertIsNone(retry.delay_after(3, OSError()))
        self.assertIsNone(retry.delay_after(4, OSError()))

    def test_comes_with_an_error_of_another_class(self):
        """Subclasses of what retry_on names are retried, others not, and never what is no Exception."""
        retry = Retry(retry_on=(OSError,))

        self.assertIsNotNone(retry.delay_after(1, ConnectionResetError()))
        self.assertIsNone(retry.delay_after(1, ValueError()))
        self.assertIsNone(Retry().delay_after(1, KeyboardInterrupt()))

    def test_is_exhaustion_only_if_there_were_retries(self):
        """A single attempt, or an error that is not worth a retry, exhausts nothing."""
        self.assertTrue(Retry(max_attempts=2).is_exhausted_by(2, OSError()))
        self.assertFalse(Retry(max_attempts=2).is_exhausted_by(1, OSError()))
        self.assertFalse(Retry(max_attempts=1).is_exhausted_by(1, OSError()))
        self.assertFalse(Retry(max_attempts=2, retry_on=(OSError,)).is_exhausted_by(2, ValueError()))


class ARetry(SimpleTestCase):
    def test_is_a_value(self):
        """Equal by what it says, and never changed."""
        self.assertEqual(Retry(max_attempts=2), Retry(max_attempts=2))
        with self.assertRaises(AttributeError):
            Retry().max_attempts = 5

    def test_takes_one_class_for_a_tuple(self):
        """retry_on=OSError is (OSError,)."""
        self.assertEqual(Retry(retry_on=(OSError,)), Retry(retry_on=OSError))
