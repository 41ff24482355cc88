"""base/clock.py: the database's clock in expressions, moments as they are stored, and the one seam that moves time."""

import time
from datetime import UTC, datetime, timedelta, timezone

from django.db import connection, models
from django.test import SimpleTestCase, TestCase, override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from durable_django.base import clock
from durable_django.base.clock import Later, MomentField, Now, PartOfPast, SecondsUntil
from durable_django.models import Worker

MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))


def worker(moment=None):
    """Insert a row with one moment, and return it as it is read back."""
    Worker.objects.create(id="w", hostname="test", pid=0, lease_expires_at=moment if moment is not None else Now())
    return Worker.objects.get(pk="w")


def value_of(expression):
    """Return what an expression is for the database."""
    return Worker.objects.annotate(value=expression).values_list("value", flat=True).get()


class AMoment(HypothesisTestCase):
    @given(MOMENTS, st.integers(-14 * 60, 14 * 60))
    @settings(max_examples=60, deadline=None)
    def test_comes_back_as_the_same_instant(self, moment, minutes):
        """To the microsecond, whatever its zone, in UTC."""
        given_in_zone = moment.astimezone(timezone(timedelta(minutes=minutes)))

        found = worker(given_in_zone).lease_expires_at

        self.assertEqual(moment, found)
        self.assertEqual(UTC, found.tzinfo)

    @given(MOMENTS, MOMENTS)
    @settings(max_examples=40, deadline=None)
    def test_compares_as_it_should(self, first, second):
        """Filters on it order as Python does."""
        worker(first)

        self.assertEqual(first <= second, Worker.objects.filter(lease_expires_at__lte=second).exists())


class TheDatabasesNow(TestCase):
    def test_is_the_moment_of_the_statement(self):
        """Close to Python's clock on one machine, and moving within a transaction."""
        first = worker().lease_expires_at
        time.sleep(0.01)
        second = value_of(Now())

        self.assertLess(first, second)
        self.assertLess(abs((datetime.now(UTC) - second).total_seconds()), 60)

    def test_fills_columns_by_itself(self):
        """db_default=Now() serves rows that are written by SQL."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO durable_django_worker (id, name, application, hostname, boot_id, pid_namespace, pid,"
                " process_started_at, queues, threads, is_draining, lease_expires_at)"
                " VALUES ('s', '', '', 'h', '', '', 1, '', '[]', 0, %s, CURRENT_TIMESTAMP)",
                [False],
            )

        self.assertLess(abs((datetime.now(UTC) - Worker.objects.get(pk="s").started_at).total_seconds()), 60)

    def test_can_be_moved(self):
        """shift() moves it, moves add up, and end with their blocks."""
        worker()
        before = value_of(Now())
        with clock.shift(timedelta(hours=1)), clock.shift(timedelta(hours=1)):
            moved = value_of(Now())
            seconds = clock.shift_seconds()

        self.assertAlmostEqual(7200, (moved - before).total_seconds(), delta=60)
        self.assertEqual((7200, 0), (seconds, clock.shift_seconds()))


class Later_(TestCase):
    def test_is_so_many_seconds_after_now(self):
        """Fractions and negative numbers too; a moved clock counts."""
        worker()
        for seconds in (0, 0.25, 90, -3600, 1e8):
            with self.subTest(seconds=seconds):
                found = Worker.objects.annotate(later=Later(seconds), now=Now()).values_list("later", "now").get()
                self.assertAlmostEqual(seconds, (found[0] - found[1]).total_seconds(), delta=0.002)
        with clock.shift(timedelta(days=1)):
            self.assertAlmostEqual(86460, (value_of(Later(60)) - datetime.now(UTC)).total_seconds(), delta=50)

    def test_may_count_from_a_column_by_a_column(self):
        """Later(F(...), after=F(...)); NULL seconds make NULL, not now."""
        moment = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
        worker(moment)
        Worker.objects.update(threads=90)

        found = value_of(Later(models.F("threads"), after=models.F("lease_expires_at")))
        nothing = value_of(Later(models.Value(None, models.FloatField())))

        self.assertEqual(moment + timedelta(seconds=90), found)
        self.assertIsNone(nothing)

    def test_knows_no_daylight_saving(self):
        """Over the spring night a day has 24 hours."""
        worker(datetime(2026, 3, 28, 12, tzinfo=UTC))

        found = value_of(Later(86400, after=models.F("lease_expires_at")))

        self.assertEqual(datetime(2026, 3, 29, 12, tzinfo=UTC), found)


class SecondsUntil_(TestCase):
    def test_is_negative_once_the_moment_has_passed(self):
        """And NULL for NULL."""
        worker(Later(60))

        self.assertAlmostEqual(60, value_of(SecondsUntil("lease_expires_at")), delta=25)
        with clock.shift(timedelta(seconds=90)):
            self.assertAlmostEqual(-30, value_of(SecondsUntil("lease_expires_at")), delta=25)


class PartOfPast_(TestCase):
    def test_numbers_the_parts_of_a_time_that_ends_now(self):
        """One for the oldest and what is older, the last one for the newest and what is yet to come."""
        worker()
        for seconds_ago, part in ((0, 4), (9.9, 4), (10.1, 3), (25, 2), (39.9, 1), (1000, 1), (-5, 4)):
            Worker.objects.update(heartbeat_at=Later(-seconds_ago))

            self.assertEqual(part, value_of(PartOfPast("heartbeat_at", 40, 4)), seconds_ago)

    def test_moves_with_the_clock(self):
        """What tests do to time counts here, too."""
        worker()
        Worker.objects.update(heartbeat_at=Now())

        with clock.shift(timedelta(seconds=25)):
            self.assertEqual(2, value_of(PartOfPast("heartbeat_at", 40, 4)))


class ANaiveMoment(TestCase):
    def test_is_local_where_use_tz_is_off(self):
        """Taken and given back in the default zone, stored in UTC: a winter and a summer day."""
        for naive, aware in (
            (datetime(2026, 1, 15, 12), datetime(2026, 1, 15, 17, tzinfo=UTC)),
            (datetime(2026, 7, 15, 12), datetime(2026, 7, 15, 16, tzinfo=UTC)),
        ):
            with override_settings(USE_TZ=False, TIME_ZONE="America/New_York"):
                prepared = MomentField().get_prep_value(naive)
            with self.subTest(naive=naive):
                self.assertEqual(aware, prepared)

    def test_of_the_hour_that_comes_twice_is_one_instant(self):
        """fold decides which; both differ by an hour."""
        with override_settings(USE_TZ=False, TIME_ZONE="America/New_York"):
            first, second = (MomentField().get_prep_value(datetime(2026, 11, 1, 1, 30, fold=fold)) for fold in (0, 1))

        self.assertEqual(timedelta(hours=1), second.astimezone(UTC) - first.astimezone(UTC))


class ElapsedSeconds(SimpleTestCase):
    def test_only_grow(self):
        """A clock for durations, not for dates."""
        readings = [clock.elapsed_seconds() for _ in range(100)]

        self.assertEqual(sorted(readings), readings)

    def test_count_a_sleeping_machine(self):
        """On Linux the clock is the one that goes on while the machine is suspended."""
        self.assertEqual(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC), clock._CLOCK)
