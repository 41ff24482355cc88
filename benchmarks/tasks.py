"""Tasks per second, enqueued before and drained by one worker process: first start to last end."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="tasks",
    size=2000,
    quick_size=500,
    sides=("durable", "django_tasks_db", "procrastinate", "huey"),
    fills={name: name for name in ("django_tasks_db", "procrastinate", "huey")},
    needs={"procrastinate": "postgresql"},
    rows=(
        Row(
            "rate",
            "tasks of django.tasks per second, one process with 8 threads",
            (
                Target("postgresql", of="django_tasks_db", at_least=2),
                Target("postgresql", of="procrastinate", at_least=2),
                Target("postgresql", of="huey", at_least=1),
                Target("sqlite", of="django_tasks_db", at_least=2),
                Target("sqlite", of="huey", at_least=1),
            ),
        ),
    ),
)


def durable(size: int) -> dict[str, float]:
    from django.db.models import Max, Min

    from benchmarks.declared_tasks import add_one
    from durable_django.models import Workflow

    _enqueue(add_one, size)
    with workers.durable_worker():
        workers.wait_until(lambda: not Workflow.objects.exclude(status="succeeded").exists(), every=0.2)
    return _rate(size, **Workflow.objects.aggregate(began_at=Min("claimed_at"), ended_at=Max("finished_at")))


def django_tasks_db(size: int) -> dict[str, float]:
    """Its worker runs one task at a time."""
    from django.db.models import Max, Min
    from django_tasks_db.models import DBTaskResult

    from benchmarks.declared_tasks import add_one

    _enqueue(add_one, size)
    with workers.running(["-m", "django", "db_worker", "--interval", "0.01", "--no-startup-delay", "--no-reload"]):
        workers.wait_until(lambda: not DBTaskResult.objects.exclude(status="SUCCESSFUL").exists(), every=0.2)
    return _rate(size, **DBTaskResult.objects.aggregate(began_at=Min("started_at"), ended_at=Max("finished_at")))


def procrastinate(size: int) -> dict[str, float]:
    from django.db.models import Max, Min
    from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

    from benchmarks.declared_for_procrastinate import add_one

    for number in range(size):
        add_one.defer(number=number)
    with workers.running(["-m", "django", "procrastinate", "worker", "--concurrency", "8"]):
        workers.wait_until(lambda: not ProcrastinateJob.objects.exclude(status="succeeded").exists(), every=0.2)
    began = ProcrastinateEvent.objects.filter(type="started").aggregate(began_at=Min("at"))
    return _rate(size, **began, **ProcrastinateEvent.objects.filter(type="succeeded").aggregate(ended_at=Max("at")))


def huey(size: int) -> dict[str, float]:
    """Look for the first and the last change of its queue: it keeps no moments."""
    from benchmarks.declared_for_huey import add_one
    from benchmarks.declared_for_huey import huey as queue

    for number in range(size):
        add_one(number)
    with workers.running(
        ["-m", "huey.bin.huey_consumer", "benchmarks.declared_for_huey.huey", "-w", "8", "-k", "thread"]
    ):
        workers.wait_until(lambda: queue.pending_count() < size, every=0.01)
        began_at = time.monotonic()
        workers.wait_until(lambda: queue.result_count() >= size, every=0.05)
        return {"rate": size / (time.monotonic() - began_at)}


def _enqueue(task: Any, size: int) -> None:
    for number in range(size):
        task.enqueue(number)


def _rate(size: int, began_at: Any, ended_at: Any) -> dict[str, float]:
    return {"rate": size / (ended_at - began_at).total_seconds()}
