"""base/ticks.py: which ticks fire now, which are caught up with, which are skipped."""

from datetime import UTC, datetime, timedelta

from django.test import SimpleTestCase

from durable_django.base.cron import Cron
from durable_django.base.ticks import Due, due, jitter, workflow_id

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTELY = Cron("* * * * *", "UTC")
SECONDLY = Cron("* * * * * *", "UTC")


def minutes(*numbers):
    """Return so many minutes after noon."""
    return tuple(NOON + timedelta(minutes=number) for number in numbers)


class OnTime(SimpleTestCase):
    def test_each_tick_of_the_last_minute_fires(self):
        """Whatever catch_up says: a worker that is seconds late has missed nothing."""
        for catch_up in ("skip", "latest", "all"):
            found = due(SECONDLY, after=NOON, until=NOON + timedelta(seconds=30.5), catch_up=catch_up)
            self.assertEqual((30, None), (len(found.ticks), found.skipped), catch_up)

    def test_nothing_is_due_between_two_ticks(self):
        """Nor at the watermark itself, nor when the clock was set back."""
        for seconds in (59, 0, -3600):
            found = due(MINUTELY, after=NOON, until=NOON + timedelta(seconds=seconds), catch_up="all")
            self.assertEqual((Due(), None), (found, found.last))


class Missed(SimpleTestCase):
    def found(self, catch_up, cron=MINUTELY, seconds=605, **facts):
        return due(cron, after=NOON, until=NOON + timedelta(seconds=seconds), catch_up=catch_up, **facts)

    def test_skip_fires_what_is_on_time(self):
        """Of ten minutes, the last tick, five seconds old."""
        self.assertEqual(Due(minutes(10), minutes(1, 9)), self.found("skip"))

    def test_latest_fires_the_newest(self):
        """One tick, on time or not; the others are skipped."""
        self.assertEqual(Due(minutes(10), minutes(1, 9)), self.found("latest"))
        hourly = Cron("0 * * * *", "UTC")
        self.assertEqual(Due(minutes(180), minutes(60, 120)), self.found("latest", hourly, seconds=3 * 3600 + 1200))

    def test_latest_of_one_skips_nothing(self):
        """A daily job that is twenty minutes late."""
        daily = Cron("10 12 * * *", "UTC")
        self.assertEqual(Due(minutes(10)), self.found("latest", daily, seconds=1800))

    def test_skip_may_fire_nothing(self):
        """The watermark moves on all the same."""
        found = self.found("skip", Cron("10 12 * * *", "UTC"), seconds=1800)
        self.assertEqual((Due((), minutes(10, 10)), minutes(10)[0]), (found, found.last))

    def test_all_fires_each(self):
        """In order."""
        self.assertEqual(Due(minutes(*range(1, 11))), self.found("all"))

    def test_all_is_bounded(self):
        """The newest thousand, however long nobody was there."""
        found = self.found("all", SECONDLY, seconds=10 * 86400)
        self.assertEqual(1000, len(found.ticks))
        self.assertEqual(NOON + timedelta(days=10), found.last)
        self.assertEqual(NOON + timedelta(seconds=1), found.skipped[0])
        self.assertEqual(found.ticks[0] - timedelta(seconds=1), found.skipped[1])

    def test_ticks_of_a_pause_are_missed_however_young(self):
        """What was on time but paused is caught up with, not fired."""
        resumed = NOON + timedelta(seconds=30)
        for catch_up, count in (("skip", 0), ("latest", 1), ("all", 30)):
            found = self.found(catch_up, SECONDLY, seconds=30, missed_until=resumed)
            self.assertEqual(count, len(found.ticks), catch_up)
        self.assertEqual(2, len(self.found("skip", SECONDLY, seconds=32, missed_until=resumed).ticks))


class Names(SimpleTestCase):
    def test_an_id_is_the_utc_instant(self):
        """The two half past ones of an autumn night have two ids."""
        self.assertEqual("schedule:shop.report:2026-05-01T12:00:00Z", workflow_id("shop.report", NOON))

    def test_jitter_is_the_same_for_all_who_ask(self):
        """Different for each tick and schedule, never negative, never longer than allowed."""
        found = [jitter("s", tick, 60) for tick in minutes(*range(100))]
        self.assertEqual(found, [jitter("s", tick, 60) for tick in minutes(*range(100))])
        self.assertEqual(100, len(set(found)))
        self.assertTrue(all(timedelta(0) <= each < timedelta(seconds=60) for each in found))
        self.assertNotEqual(jitter("s", NOON, 60), jitter("t", NOON, 60))
        self.assertEqual(timedelta(0), jitter("s", NOON, 0))
