"""Schedules: each tick starts its workflow once, with what the schedule gives it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.test import TestCase, override_settings
from django.utils import timezone

from durable_django import get_handle
from durable_django.base import ticks
from durable_django.base.clock import Epoch, instant
from durable_django.models import Schedule, Workflow
from durable_django.testing import fire_schedules, run_until_idle
from tests.behaviour.scheduling import NOON, ScheduleTestCase, at, hours, make, started
from tests.sample.scheduled import takes_both, takes_its_time

HOUR = timedelta(hours=1)


class ATick(ScheduleTestCase):
    def test_starts_nothing_before_its_time(self):
        """The moment of the next tick is known, and that is all."""
        schedule = make()
        with at(minutes=59, seconds=59):
            fired = fire_schedules("s")

        schedule.refresh_from_db()
        self.assertEqual(([], NOON + HOUR, ""), (fired, schedule.next_at, schedule.error))

    def test_starts_its_workflow_once(self):
        """Its id is that of the tick, in UTC; another look finds nothing to do."""
        make()
        with at(hours=1, seconds=5):
            first, second = fire_schedules("s"), fire_schedules("s")

        self.assertEqual((["schedule:s:2031-05-01T13:00:00Z"], []), (first, second))
        row = Workflow.objects.get()
        self.assertEqual(("sample.takes_nothing", "s", "default"), (row.name, row.schedule, row.queue))

    def test_moves_the_watermark(self):
        """The row says which tick was dealt with, and when the next one comes."""
        schedule = make()
        with at(hours=1, seconds=5):
            fire_schedules("s")

        schedule.refresh_from_db()
        self.assertEqual((NOON + HOUR, NOON + 2 * HOUR), (schedule.fired_until, schedule.next_at))

    def test_gives_moment_and_context(self):
        """The moment is the tick in the schedule's zone, the context the value from the row."""
        make(timezone="Asia/Tokyo", workflow=takes_both, context={"region": ("eu", 7)})
        with at(hours=1):
            (fired,) = fire_schedules("s")
            run_until_idle()

        scheduled_at, context = get_handle(fired).result()
        self.assertEqual((NOON + HOUR, ZoneInfo("Asia/Tokyo")), (scheduled_at, scheduled_at.tzinfo))
        self.assertEqual({"region": ("eu", 7)}, context)

    def test_survives_that_its_workflow_was_purged(self):
        """C15: the watermark is on the schedule; rows of workflows prove nothing."""
        make()
        with at(hours=1):
            fire_schedules("s")
            Workflow._base_manager.all().delete()
            again = fire_schedules("s")

        self.assertEqual([], again)

    def test_is_not_fired_twice_when_the_watermark_goes_back(self):
        """A clock that was set back, a row from a backup: the id is taken already."""
        make()
        with at(hours=1, seconds=5):
            fire_schedules("s")
            Schedule.objects.write(fired_until=NOON, next_at=NOON)
            again = fire_schedules("s")

        self.assertEqual(([], hours(1)), (again, started()))

    def test_goes_to_the_queue_of_the_schedule(self):
        """Instead of the workflow's own."""
        make(queue="scheduled")
        with at(hours=1):
            fire_schedules("s")

        self.assertEqual("scheduled", Workflow.objects.get().queue)

    def test_with_jitter_starts_later_but_keeps_its_moment(self):
        """By up to so many seconds, the same for whichever worker fires it; the id is still that of the tick."""
        make(jitter_seconds=600)
        with at(hours=1):
            fire_schedules("s")

        self.assertEqual(hours(1), started())
        later = Workflow.objects.get().run_after - (NOON + HOUR)
        self.assertEqual(ticks.jitter("s", NOON + HOUR, 600), later)
        self.assertTrue(timedelta(0) < later < timedelta(minutes=10), later)

    def test_that_comes_late_waits_for_no_jitter(self):
        """It has waited already."""
        make(jitter_seconds=600)
        with at(hours=1, minutes=11):
            fire_schedules("s")

        self.assertIsNone(Workflow.objects.get().run_after)


class MissedTicks(ScheduleTestCase):
    def after_a_night(self, **columns):
        """Let nobody fire from noon till twenty past ten in the evening; return what is started then."""
        make(**columns)
        with at(hours=10, minutes=20):
            fire_schedules("s")
            fire_schedules("s")
        return started()

    def test_the_latest_fires(self):
        """C7: unless the schedule says otherwise."""
        self.assertEqual(hours(10), self.after_a_night())

    def test_none_fires(self):
        """With catch_up="skip"; the schedule goes on with its next tick."""
        self.assertEqual([], self.after_a_night(catch_up="skip"))
        with at(hours=11):
            fire_schedules("s")
        self.assertEqual(hours(11), started())

    def test_all_fire(self):
        """With catch_up="all", in order."""
        self.assertEqual(hours(*range(1, 11)), self.after_a_night(catch_up="all"))

    def test_a_flood_is_bounded(self):
        """All of a tick each ten seconds: the newest thousand, a hundred in each transaction."""
        self.assertEqual(1000, len(self.after_a_night(cron="*/10 * * * * *", catch_up="all")))

    def test_are_told_of_when_they_are_skipped(self):
        """Never silently: from which to which, and why."""
        with self.assertLogs("durable_django.schedule", "WARNING") as logs:
            self.after_a_night()
        self.assertEqual(1, len(logs.output))
        self.assertIn(
            "s: nothing was started for 2031-05-01T13:00:00+00:00 to 2031-05-01T21:00:00+00:00", logs.output[0]
        )


class AnOverlappingTick(ScheduleTestCase):
    def setUp(self):
        super().setUp()
        self.hour = 0

    def tick(self, count=1):
        """Let so many hours pass, one by one."""
        for _number in range(count):
            self.hour += 1
            with at(hours=self.hour):
                fire_schedules("s")
                run_until_idle()

    def end(self):
        """Let the run that lives end."""
        Workflow.objects.filter(finished_at=None).cancel()

    def test_starts_another_run(self):
        """Unless the schedule says otherwise."""
        make(workflow=takes_its_time)
        self.tick(3)
        self.assertEqual(hours(1, 2, 3), started())

    def test_is_dropped(self):
        """With overlap="skip": nothing starts until the run has ended, then the next tick does."""
        make(workflow=takes_its_time, overlap="skip")
        with self.assertLogs("durable_django.schedule", "WARNING") as logs:
            self.tick(3)
        self.end()
        self.tick(1)

        self.assertEqual(hours(1, 4), started())
        self.assertIn("a run had not ended, and overlap is skip", logs.output[0])

    def test_waits(self):
        """With overlap="queue": it starts once the run has ended, whether it ended well or not."""
        make(workflow=takes_its_time, overlap="queue", catch_up="all")
        self.tick(3)
        before = started()
        self.end()
        self.tick(0)
        with at(hours=3, minutes=30):
            fire_schedules("s")
            after = started()
        self.end()
        with at(hours=3, minutes=45):
            fire_schedules("s")

        self.assertEqual((hours(1), hours(1, 2), hours(1, 2, 3)), (before, after, started()))

    def test_that_waited_long_counts_as_missed(self):
        """Of those that wait, catch_up says which start: the latest by default."""
        make(workflow=takes_its_time, overlap="queue")
        self.tick(5)
        self.end()
        with at(hours=5, minutes=30):
            fire_schedules("s")

        self.assertEqual(hours(1, 5), started())

    def test_that_waits_is_looked_at_every_second(self):
        """Its row says so; no crash can lose the memory of it, since there is none but the watermark."""
        schedule = make(workflow=takes_its_time, overlap="queue")
        self.tick(2)

        schedule.refresh_from_db()
        self.assertEqual(NOON + HOUR, schedule.fired_until)
        self.assertAlmostEqual(1, (schedule.next_at - (NOON + 2 * HOUR)).total_seconds(), delta=30)

    def test_of_another_schedule_does_not_count(self):
        """Each schedule minds its own runs."""
        make(workflow=takes_its_time, overlap="skip")
        make(workflow=takes_its_time, overlap="skip", name="t")
        self.tick()
        with at(hours=1, seconds=10):
            fire_schedules("t")

        self.assertEqual((hours(1), hours(1)), (started("s"), started("t")))


@override_settings(USE_TZ=False, TIME_ZONE="America/New_York")
class WithoutTimeZones(TestCase):
    """C16: moments are naive; in the hour that is repeated one such moment means two instants."""

    def setUp(self):
        Schedule.objects.all().delete()
        self.back = NOON.replace(month=11, day=2, hour=6)

    def fire(self, cron):
        """Let a schedule live through the night in which clocks go back, looked at every ten minutes."""
        start = self.back - 3 * HOUR
        Schedule.objects.create(name="s", cron=cron, workflow=takes_both, fired_until=start, catch_up="all")
        for minutes in range(0, 360, 10):
            with at(start, minutes=minutes):
                fire_schedules("s")
        return started()

    def test_a_daily_schedule_fires_once(self):
        """At half past one, the first time."""
        self.assertEqual(["2031-11-02T05:30:00Z"], self.fire("30 1 * * *"))

    def test_an_hourly_schedule_fires_each_hour(self):
        """Six in six hours."""
        self.assertEqual([f"2031-11-02T{hour:02}:30:00Z" for hour in range(3, 9)], self.fire("30 * * * *"))

    def test_the_moment_is_naive(self):
        """In the default zone, as all moments are then."""
        self.fire("30 1 * * *")
        run_until_idle()

        scheduled_at, _context = get_handle("schedule:s:2031-11-02T05:30:00Z").result()
        self.assertEqual("2031-11-02T01:30:00", scheduled_at.isoformat())
        self.assertTrue(timezone.is_naive(scheduled_at))

    def test_the_watermark_is_an_instant(self):
        """Read as seconds since 1970, which the repeated hour does not confuse."""
        self.fire("30 * * * *")
        self.assertEqual(
            NOON.replace(month=11, day=2, hour=8, minute=30),
            instant(Schedule.objects.values_list(Epoch("fired_until"), flat=True).get()),
        )
