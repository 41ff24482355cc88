"""base/cron.py: ticks, held against a walk over every minute, or second, around each change of the clocks."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.test import SimpleTestCase

from durable_django.base.cron import Cron, read

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

#: Zone, and a UTC day in whose middle its clocks change: by an hour, by half an hour, for Ramadan, by a whole day.
CHANGES = {
    "forward in New York": ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    "back in New York": ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "forward in London": ("Europe/London", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    "back in London": ("Europe/London", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "forward on Lord Howe": ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "back on Lord Howe": ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    "back in Casablanca": ("Africa/Casablanca", datetime(2026, 2, 15, 2, tzinfo=UTC)),
    "forward in Casablanca": ("Africa/Casablanca", datetime(2026, 3, 22, 2, tzinfo=UTC)),
    "a day skipped in Apia": ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    "back in Apia": ("Pacific/Apia", datetime(2012, 3, 31, 14, tzinfo=UTC)),
    "forward in Apia": ("Pacific/Apia", datetime(2012, 9, 29, 14, tzinfo=UTC)),
}
TEXTS = (
    "30 2 * * *",
    "30 1 * * *",
    "0 3 * * *",
    "45 1 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "*/15 2 * * *",
    "*/20 1 * * *",
    "0 1-4 * * *",
    "15 1,2,3 * * *",
    "0 * * * *",
    "*/30 * * * *",
    "10 */2 * * *",
    "5 0-23 * * *",
    "7,37 */3 * * *",
    "30 2 8 3 *",
    "0 9 * * SUN",
    "0 2 * * 0,6",
    "* 2 * * *",
    "* * * * *",
)
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def values(field, first, last):
    """Return the numbers that a field means: an independent, small reading of it."""
    found = set()
    for part in field.split(","):
        span, _slash, step = part.partition("/")
        low, _dash, high = span.partition("-")
        if span == "*":
            low, high = first, last
        low = _DAYS.index(low) if low in _DAYS else int(low)
        found |= set(range(low, int(high or low) + 1, int(step or 1)))
    return found


class Walk:
    """All ticks in a stretch of time, found by looking at each moment of it."""

    def __init__(self, text, zone, step=MINUTE):
        *second, minute, hour, day, month, weekday = text.split()
        self.second = values(second[0], 0, 59) if second else {0}
        self.minute, self.hour = values(minute, 0, 59), values(hour, 0, 23)
        self.day, self.month, self.weekday = values(day, 1, 31), values(month, 1, 12), values(weekday, 0, 6)
        self.are_days_either = "*" not in (day, weekday)
        self.names_hours = not hour.startswith("*") and len(self.hour) < 24
        self.zone, self.step = ZoneInfo(zone), step

    def matches(self, local):
        is_day, is_weekday = local.day in self.day, local.isoweekday() % 7 in self.weekday
        return (
            local.second in self.second
            and local.minute in self.minute
            and local.hour in self.hour
            and local.month in self.month
            and (is_day or is_weekday if self.are_days_either else is_day and is_weekday)
        )

    def ticks(self, after, until):
        found, before = [], after.astimezone(self.zone)
        at = after + self.step
        while at <= until:
            local = at.astimezone(self.zone)
            if self._fires(before, local):
                found.append(at)
            before, at = local, at + self.step
        return found

    def _fires(self, before, local):
        if self.matches(local) and not (self.names_hours and local.fold):
            return True
        naive = before.replace(tzinfo=None) + self.step
        skipped = []
        while naive < local.replace(tzinfo=None):
            skipped.append(naive)
            naive += self.step
        return self.names_hours and any(map(self.matches, skipped))


class AroundEachChangeOfTheClocks(SimpleTestCase):
    def assert_as_walked(self, text, zone, start, end, step=MINUTE):
        self.assertEqual(Walk(text, zone, step).ticks(start, end), list(Cron(text, zone).between(start, end)), text)

    def test_there_is_a_change(self):
        """The moments of this test are those that the time zone database knows."""
        for name, (zone, change) in CHANGES.items():
            before, after = ((change - s).astimezone(ZoneInfo(zone)) for s in (SECOND, timedelta(0)))
            self.assertEqual("back" in name, before.utcoffset() > after.utcoffset(), name)
            self.assertNotEqual(before.utcoffset(), after.utcoffset(), name)

    def test_ticks_are_those_of_a_walk(self):
        """Whatever the text, a day on both sides of the change."""
        span = timedelta(hours=25)
        for name, (zone, change) in CHANGES.items():
            for text in TEXTS:
                with self.subTest(name, text=text):
                    self.assert_as_walked(text, zone, change - span, change + span)

    def test_ticks_of_texts_with_seconds_are_those_of_a_walk(self):
        """Second by second, two hours on both sides."""
        span = timedelta(hours=2)
        for name, (zone, change) in CHANGES.items():
            for text in ("*/10 30 2 * * *", "15 0 * * * *", "0 */20 1 * * *", "30 59 1,2 * * *"):
                with self.subTest(name, text=text):
                    self.assert_as_walked(text, zone, change - span, change + span, SECOND)

    def test_it_does_not_matter_from_where_one_looks(self):
        """The next tick after any moment, also in a repeated hour, is the next one of the walk."""
        chance = random.Random(4711)
        for zone, change in CHANGES.values():
            for text in TEXTS:
                start, end = change - timedelta(hours=5), change + timedelta(hours=50)
                ticks, timing = Walk(text, zone).ticks(start, end), Cron(text, zone)
                for _ in range(20):
                    moment = start + timedelta(seconds=chance.uniform(0, 10 * 3600))
                    expected = next((tick for tick in ticks if tick > moment), None)
                    if expected is not None:
                        self.assertEqual(expected, timing.next_after(moment), (text, zone, moment))

    def test_a_daily_job_fires_once_a_day(self):
        """Whatever the minute: 365 ticks in a year, one on each local date."""
        for zone in ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"):
            start = datetime(2025, 12, 31, 23, 59, tzinfo=ZoneInfo(zone))
            end = start + timedelta(days=365)
            for hour, minute in itertools.product(range(4), (0, 1, 29, 30, 31, 59)):
                found = list(Cron(f"{minute} {hour} * * *", zone).between(start, end))
                dates = {tick.astimezone(ZoneInfo(zone)).date() for tick in found}
                self.assertEqual((365, 365), (len(found), len(dates)), (zone, hour, minute))

    def test_a_skipped_time_fires_when_the_clocks_have_jumped(self):
        """The next valid minute; of several skipped times, one tick."""
        jump = datetime(2026, 3, 8, 7, tzinfo=UTC)
        for text in ("30 2 * * *", "*/15 2 * * *", "0 2,3 * * *"):
            found = list(Cron(text, "America/New_York").between(jump - timedelta(hours=1), jump + MINUTE))
            self.assertEqual([jump], found, text)

    def test_an_hourly_job_fires_in_both_repeated_hours(self):
        """And not for the one that is skipped."""
        timing = Cron("30 * * * *", "America/New_York")
        back, forward = CHANGES["back in New York"][1], CHANGES["forward in New York"][1]
        hours = timedelta(hours=2)

        self.assertEqual(4, len(list(timing.between(back - hours, back + hours))))
        self.assertEqual(4, len(list(timing.between(forward - hours, forward + hours))))
        self.assertTrue(all(tick.minute == 30 for tick in timing.between(forward - hours, forward + hours)))


class AText(SimpleTestCase):
    def first(self, text, count=3):
        return [f"{tick:%m-%d %H:%M:%S}" for tick in itertools.islice(self.from_2026(text), count)]

    def from_2026(self, text):
        return Cron(text, "UTC").between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

    def test_has_five_fields_or_six(self):
        """With six, the second comes first."""
        self.assertEqual(["01-01 00:05:00", "01-01 00:10:00", "01-01 00:15:00"], self.first("*/5 * * * *"))
        self.assertEqual(["01-01 00:00:20", "01-01 00:00:40", "01-01 00:01:00"], self.first("*/20 * * * * *"))

    def test_knows_names_in_either_case(self):
        """Of months and weekdays, in ranges and lists."""
        self.assertEqual(["01-01 09:00:00", "01-02 09:00:00", "01-05 09:00:00"], self.first("0 9 * * Mon-FRI"))
        self.assertEqual(["02-01 00:00:00", "10-01 00:00:00"], self.first("0 0 1 feb,OCT *", 2))

    def test_knows_the_last_day_of_a_month(self):
        """`L` as the day; `L5` is the last Friday."""
        self.assertEqual(["01-31 00:00:00", "02-28 00:00:00", "03-31 00:00:00"], self.first("0 0 L * *"))
        self.assertEqual(["01-30 00:00:00", "02-27 00:00:00", "03-27 00:00:00"], self.first("0 0 * * L5"))

    def test_knows_the_nth_weekday_of_a_month(self):
        """`5#2` is the second Friday."""
        self.assertEqual(["01-09 00:00:00", "02-13 00:00:00", "03-13 00:00:00"], self.first("0 0 * * 5#2"))

    def test_takes_day_or_weekday_if_both_are_restricted(self):
        """As crontab does."""
        self.assertEqual(["01-02 00:00:00", "01-09 00:00:00", "01-13 00:00:00"], self.first("0 0 13 * 5"))

    def test_may_wait_for_years(self):
        """February 29, also across the year 2100, which has none."""
        after = datetime(2096, 3, 1, tzinfo=UTC)
        self.assertEqual(datetime(2104, 2, 29, tzinfo=UTC), Cron("0 0 29 2 *", "Europe/London").next_after(after))

    def test_that_never_fires_is_refused(self):
        """C11: February 30 is no date; nothing looks for it for ever."""
        for text in ("0 0 30 2 *", "0 0 31 2,4,6,9,11 *"):
            with self.assertRaisesMessage(ValueError, f"The schedule {text!r} never fires"):
                Cron(text, "UTC")

    def test_that_cannot_be_read_is_refused_with_its_fields(self):
        """What croniter reads beside cron, such as random and hashed fields, years and aliases, is refused as well."""
        bad = ("", "x", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8")
        odd = (
            "@daily",
            "h * * * *",
            "r * * * *",
            "0 0 1W * *",
            "*/0 * * * *",
            "1,,2 * * * *",
            "-1 * * * *",
            "٣ * * * *",
        )
        for text in (*bad, *odd, "0 0 * * 5#6", "/ * * * *", "1/ * * * *", "0 0 L-3 * *", "# # # # #", None, 5):
            with self.subTest(text), self.assertRaisesMessage(ValueError, "minute, hour, day, month, weekday"):
                Cron(text, "UTC")

    def test_of_any_letters_is_read_or_refused(self):
        """Nothing but ValueError comes out of a thousand random texts."""
        chance = random.Random(1)
        for _ in range(1000):
            text = " ".join("".join(chance.choices("0159*/-,#L?SUN", k=chance.randint(1, 4))) for _ in range(5))
            try:
                Cron(text, "UTC")
            except ValueError as error:
                self.assertIn(text, str(error))

    def test_needs_a_zone_that_exists(self):
        """Names that would leave the folder of zones, too, are no zones."""
        for zone in ("Nowhere", "", "America", "../etc/passwd", "/etc/passwd", "UTC\0", None):
            with self.subTest(zone), self.assertRaisesMessage(ValueError, "There is no time zone"):
                Cron("* * * * *", zone)

    def test_is_read_once(self):
        """Every look at a schedule reads it, so the answer is kept."""
        self.assertIs(read("* * * * *", "UTC"), read("* * * * *", "UTC"))


class ALongStretch(SimpleTestCase):
    START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 500, tzinfo=UTC)

    def test_has_a_last_tick(self):
        """Found without a walk through 190 million seconds."""
        for text in ("* * * * * *", "0 12 * * *", "30 1 * * SUN", "0 0 29 2 *"):
            timing = Cron(text, "Europe/London")
            last = timing.latest(self.START, self.END)
            self.assertLessEqual(last, self.END)
            self.assertGreater(timing.next_after(last), self.END)
            self.assertEqual(last, timing.next_after(last - SECOND))

    def test_without_a_tick_has_no_last_one(self):
        """Neither has an empty stretch."""
        timing = Cron("0 12 * * *", "UTC")
        self.assertIsNone(timing.latest(self.START, self.START + timedelta(hours=11)))
        self.assertIsNone(timing.latest(self.START, self.START))

    def test_has_newest_ticks(self):
        """The same as the end of the whole list, where that is short enough to be made."""
        start = self.END - timedelta(days=40)
        for text in ("*/7 * * * *", "0 12 * * *", "* 3 * * *", "*/30 15 4 * * *"):
            timing = Cron(text, "America/New_York")
            everything = list(timing.between(start, self.END))
            for limit in (1, 10, 1000):
                self.assertEqual(everything[-limit:], timing.newest(start, self.END, limit), (text, limit))
        self.assertEqual(1000, len(Cron("* * * * * *", "UTC").newest(self.START, self.END, 1000)))
