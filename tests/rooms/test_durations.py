"""api/durations.py: durations and moments as users give them."""

import math
from datetime import UTC, datetime, timedelta

from django.test import SimpleTestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st

from durable_django.api.durations import LONGEST_SECONDS, moment_of, retention_of, seconds_of
from durable_django.base.clock import FOR_EVER

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.text(), st.binary(), st.decimals(), st.fractions(), st.lists(st.integers()), st.dates()
)


class ADuration(SimpleTestCase):
    @given(st.one_of(st.floats(), st.integers(), st.timedeltas()))
    def test_is_seconds_within_a_century_or_refused(self, value):
        """Whatever number it is: a float comes back, or a ValueError that names the argument."""
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if 0 <= seconds <= LONGEST_SECONDS:
            found = seconds_of(value, "delay")
            self.assertIs(float, type(found))
            self.assertAlmostEqual(seconds, found)
        else:
            with self.assertRaisesMessage(ValueError, "delay must be between 0 seconds and a century"):
                seconds_of(value, "delay")

    @given(ANYTHING)
    def test_is_no_other_type(self, value):
        """Above all no bool, which is an int to Python, and no text."""
        with self.assertRaisesMessage(TypeError, "delay must be a number of seconds or a timedelta"):
            seconds_of(value, "delay")

    def test_may_have_to_be_longer(self):
        """The bound is part of the message."""
        with self.assertRaisesMessage(ValueError, "timeout must be between 0.5 seconds"):
            seconds_of(0.4, "timeout", at_least=0.5)
        self.assertTrue(math.isclose(0.5, seconds_of(0.5, "timeout", at_least=0.5)))


class ARetention(SimpleTestCase):
    def test_is_whole_seconds(self):
        """Rounded up; nothing, none at all, for ever, and what is as long as that."""
        given_and_kept = (
            (None, None), (0, 0), (0.5, 1), (60, 60), (timedelta(days=1), 86_400), (math.inf, FOR_EVER),
            (LONGEST_SECONDS, FOR_EVER),
        )  # fmt: skip
        for value, kept in given_and_kept:
            self.assertEqual(kept, retention_of(value), value)

    def test_is_refused_as_any_duration(self):
        """Less than nothing, no number, another type."""
        for value in (-1, math.nan, -math.inf, timedelta(days=-1)):
            with self.assertRaisesMessage(ValueError, "retention must be between 0 seconds and a century"):
                retention_of(value)
        with self.assertRaisesMessage(TypeError, "retention must be a number of seconds or a timedelta, got '30d'"):
            retention_of("30d")


class AMoment(SimpleTestCase):
    @given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.timezones()))
    def test_that_is_aware_is_taken_as_it_is(self, value):
        """In any zone."""
        self.assertIs(value, moment_of(value, "run_after"))

    @given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
    def test_that_is_naive_is_local_where_use_tz_is_off(self, value):
        """In the default zone; under USE_TZ it is refused."""
        with self.assertRaisesMessage(ValueError, "must be an aware datetime"):
            moment_of(value, "run_after")
        with override_settings(USE_TZ=False, TIME_ZONE="America/New_York"):
            found = moment_of(value, "run_after")

        self.assertEqual(value, found.replace(tzinfo=None))
        self.assertEqual("America/New_York", str(found.tzinfo))

    def test_must_exist_in_every_zone(self):
        """The edges of Python's calendar overflow in some."""
        for value in (datetime.min, datetime.max, datetime(9999, 1, 1, tzinfo=UTC)):
            with self.subTest(value=value), self.assertRaisesMessage(ValueError, "between the years 2 and 9998"):
                moment_of(value, "run_after")

    @given(ANYTHING)
    def test_is_no_other_type(self, value):
        """A date has no hour."""
        with self.assertRaisesMessage(TypeError, "run_after must be a datetime"):
            moment_of(value, "run_after")
