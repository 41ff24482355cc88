"""What the tests of monitoring share: the verdicts as a dict, workers and queues."""

from __future__ import annotations

from typing import Any

from django.test import TestCase

from durable_django.base import registry
from durable_django.models import Queue, Schedule, Worker
from durable_django.monitoring.health import Thresholds, examine


def problems(delay: float = 300, grace: float = 60) -> dict[str, list[str]]:
    """Return what each check has found, without those that have found nothing."""
    return {each.check: list(each.problems) for each in examine(Thresholds(delay, grace)) if each.problems}


def alive(worker_id: str = "w", seconds: float = 10**9, **facts: Any) -> Worker:
    """Register a worker whose lease stands, however far the test travels."""
    return Worker.objects.register(worker_id, seconds, **{"hostname": "h", "pid": 1, **facts})


class MonitoringTestCase(TestCase):
    """A project that has migrated, and declares no schedule."""

    def setUp(self) -> None:
        Queue.objects.sync(registry.queues.declared())
        Schedule.objects.all().delete()
