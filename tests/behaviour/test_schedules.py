"""Schedules: each tick starts its workflow once, with what the schedule gives it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import connection
from django.test import TestCase

from durable_django import get_handle
from durable_django.base import payloads
from durable_django.engine import firing
from durable_django.models import Schedule, Workflow
from durable_django.testing import fire_schedules, run_until_idle, travel
from tests.sample.scheduled import takes_both, takes_nothing


def now():
    """Return the database's clock."""
    row = Schedule.objects.first() or Schedule.objects.create(name="clock", cron="* * * * *", workflow="none.none")
    return Schedule.objects.filter(pk=row.pk).now()


def at(moment):
    """Travel to a moment."""
    return travel(moment - now())


def make(cron="0 * * * *", workflow=takes_nothing, **columns):
    """Make a schedule in UTC with the name "s", whose ticks count from now on."""
    return Schedule.objects.create(**{"name": "s", "timezone": "UTC", "cron": cron, "workflow": workflow, **columns})


def ids():
    """Return what schedule "s" has started, without the beginning that all ids share."""
    return [pk.removeprefix("schedule:s:") for pk in Workflow.objects.of_schedule("s").values_list("pk", flat=True)]


def next_hour():
    return now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def stamp(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class ScheduleTestCase(TestCase):
    def setUp(self):
        Schedule.objects.all().delete()


class ATick(ScheduleTestCase):
    def test_starts_nothing_before_its_time(self):
        """The moment of the next tick is known, and that is all."""
        schedule = make()
        tick = next_hour()

        started = fire_schedules("s")

        schedule.refresh_from_db()
        self.assertEqual(([], tick, ""), (started, schedule.next_at, schedule.error))

    def test_starts_its_workflow_once(self):
        """Its id is that of the tick, in UTC; another look finds nothing to do."""
        make()
        tick = next_hour()
        with at(tick + timedelta(seconds=5)):
            first, second = fire_schedules("s"), fire_schedules("s")

        self.assertEqual(([f"schedule:s:{stamp(tick)}"], []), (first, second))
        row = Workflow.objects.get()
        self.assertEqual(("sample.takes_nothing", "s", "default"), (row.name, row.schedule, row.queue))

    def test_moves_the_watermark_in_the_same_transaction(self):
        """The row says which tick was dealt with, and when the next one comes."""
        schedule = make()
        tick = next_hour()
        with at(tick + timedelta(seconds=5)):
            fire_schedules("s")

        schedule.refresh_from_db()
        self.assertEqual((tick, tick + timedelta(hours=1)), (schedule.fired_until, schedule.next_at))

    def test_gives_moment_and_context(self):
        """The moment is the tick in the schedule's zone, the context the value from the row."""
        make(timezone="Asia/Tokyo", workflow=takes_both, context={"region": ("eu", 7)})
        tick = next_hour()
        with at(tick):
            (started,) = fire_schedules("s")
            run_until_idle()

        scheduled_at, context = get_handle(started).result()
        self.assertEqual((tick, ZoneInfo("Asia/Tokyo")), (scheduled_at, scheduled_at.tzinfo))
        self.assertEqual({"region": ("eu", 7)}, context)

    def test_survives_that_its_workflow_was_purged(self):
        """C15: the watermark is on the schedule; rows of workflows prove nothing."""
        make()
        tick = next_hour()
        with at(tick + timedelta(seconds=5)):
            fire_schedules("s")
            Workflow.objects.all().delete()
            again = fire_schedules("s")

        self.assertEqual([], again)

    def test_is_not_fired_twice_when_the_watermark_goes_back(self):
        """A clock that was set back, a row from a backup: the id is taken already."""
        make()
        tick = next_hour()
        with at(tick + timedelta(seconds=5)):
            fire_schedules("s")
            Schedule.objects.write(fired_until=tick - timedelta(hours=1), next_at=tick)
            again = fire_schedules("s")

        self.assertEqual(([], [stamp(tick)]), (again, ids()))

    def test_goes_to_the_queue_of_the_schedule(self):
        """Instead of the workflow's own."""
        make(queue="scheduled")
        with at(next_hour()):
            fire_schedules("s")

        self.assertEqual("scheduled", Workflow.objects.get().queue)

    def test_with_jitter_starts_later_but_keeps_its_moment(self):
        """By up to so many seconds, the same for whichever worker fires it; the id is still that of the tick."""
        make(jitter_seconds=600)
        tick = next_hour()
        with at(tick):
            fire_schedules("s")

        row = Workflow.objects.get()
        later = (row.run_after - tick).total_seconds()
        self.assertEqual([stamp(tick)], ids())
        self.assertTrue(0 < later < 600, later)
        self.assertEqual(later, firing.ticks.jitter("s", tick, 600).total_seconds())
