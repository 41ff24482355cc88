"""What the tests of schedules share: a clock that the test sets, and a schedule named "s"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import TestCase

from durable_django.base.clock import Epoch, Now, instant
from durable_django.models import Queue, Schedule, Workflow
from durable_django.testing import travel
from tests.behaviour import support  # noqa: F401 - what schedules skip is no news here
from tests.sample.scheduled import takes_nothing

#: A moment that tests travel to, long after all real ones.
NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)


def now() -> datetime:
    """Return the database's clock."""
    return instant(Queue.objects.values_list(Epoch(Now()), flat=True)[:1].get())


def at(moment: datetime = NOON, **parts: float) -> Any:
    """Travel to so much after a moment, and a little further, since SQLite's clock rounds to milliseconds."""
    return travel(moment + timedelta(**parts) - now() + timedelta(milliseconds=5))


def make(cron: str = "0 * * * *", workflow: Any = takes_nothing, **columns: Any) -> Schedule:
    """Make schedule "s" in UTC, whose ticks count from noon on."""
    given = {"name": "s", "timezone": "UTC", "cron": cron, "workflow": workflow, "fired_until": NOON, **columns}
    return Schedule.objects.create(**given)


def started(name: str = "s") -> list[str]:
    """Return when the ticks were that have started a workflow, in order."""
    beginning = f"schedule:{name}:"
    return [pk.removeprefix(beginning) for pk in Workflow.objects.of_schedule(name).values_list("pk", flat=True)]


def hours(*numbers: int) -> list[str]:
    """Return so many hours after noon as started() tells them."""
    return [f"{NOON + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}" for number in numbers]


class ScheduleTestCase(TestCase):
    def setUp(self) -> None:
        Schedule.objects.all().delete()
        Queue.objects.ensure("default", "scheduled")
