"""What is measured: gauges of queues, workflows, workers and schedules, each from a bounded number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Count, Q

from durable_django.base.clock import Later
from durable_django.engine import context
from durable_django.management import depths
from durable_django.management.counting import MOST_COUNTED, Counted
from durable_django.models.queue import Queue
from durable_django.models.standing import oldest_seconds
from durable_django.models.status import Status
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow
from durable_django.monitoring.health import Thresholds, examine
from durable_django.monitoring.openmetrics import Gauge, Sample

#: Queues that are measured, by name.
_MOST_QUEUES = 200
_RECENT_SECONDS = 300
_CAPPED = f"counted up to {MOST_COUNTED}"


def measure() -> list[Gauge]:
    """Return all gauges. Raises the errors of a database that is away."""
    # All of them, for the problems.
    ages = oldest_seconds(Queue.objects.using(context.alias_of_workflows()))
    return [*_queues(ages), *_workflows(), *_workers(), _problems(ages)]


def _queues(ages: Mapping[str, float]) -> list[Gauge]:
    rows = Queue.objects.using(context.alias_of_workflows()).order_by("name")
    each = depths.with_depths(rows[:_MOST_QUEUES], MOST_COUNTED, ages)
    return [
        _of_queues(
            "runnable", f"Workflows that can be claimed now, {_CAPPED}.", ((row, depth.queued) for row, depth in each)
        ),
        _of_queues(
            "oldest_seconds",
            "For how long the oldest of those has stood in line.",
            ((row, depth.oldest_seconds or 0) for row, depth in each),
        ),
        _of_queues("running", "Workflows that hold a slot.", ((row, depth.running) for row, depth in each)),
        _of_queues(
            "concurrency",
            "Most workflows that may run at the same time; queues without that limit have none.",
            ((row, row.concurrency) for row, _depth in each if row.concurrency is not None),
        ),
        _of_queues("paused", "Whether workers claim nothing from it.", ((row, row.is_paused) for row, _depth in each)),
    ]


def _of_queues(name: str, words: str, values: Iterable[tuple[Queue, float]]) -> Gauge:
    return Gauge(f"durable_queue_{name}", words, [Sample(value, {"queue": row.name}) for row, value in values])


def _workflows() -> list[Gauge]:
    rows = Workflow.objects.using(context.alias_of_workflows())
    # Indexes durable_workflow_waiting, durable_workflow_timer and durable_workflow_created.
    waiting = rows.waiting().filter(waiting_for__gt="").order_by()
    recent = rows.filter(created_at__gt=Later(-_RECENT_SECONDS)).order_by("-created_at")
    by_status = recent[:MOST_COUNTED].aggregate(
        **{status: Count("pk", filter=Q(status=status)) for status in Status.values}
    )
    # A row to stand on: the newest is found at once.
    counts = [Counted(waiting), Counted(rows.timed().order_by())]
    number_waiting, number_timed = rows.order_by("-created_at").values_list(*counts).first() or (0, 0)
    return [
        Gauge(
            "durable_workflows_waiting",
            f"Workflows that wait for a moment, a message or another workflow, {_CAPPED}.",
            [_counted(number_waiting)],
        ),
        Gauge(
            "durable_workflows_timed",
            f"Workflows that become runnable at a moment, {_CAPPED}.",
            [_counted(number_timed)],
        ),
        Gauge(
            "durable_workflows_recent",
            f"Workflows that were started in the last {_RECENT_SECONDS} seconds, by what became of them, {_CAPPED}.",
            [Sample(by_status[status], {"status": status}) for status in Status.values],
        ),
    ]


def _counted(number: int) -> Sample:
    return Sample(min(number, MOST_COUNTED))


def _workers() -> list[Gauge]:
    alive = Worker.objects.using(context.alias_of_workflows()).alive().filter(takes_slots=True)
    found = list(alive.values_list("is_draining", "threads"))
    claiming = [threads for is_draining, threads in found if not is_draining]
    states = {"claiming": len(claiming), "draining": len(found) - len(claiming)}
    return [
        Gauge(
            "durable_workers",
            "Worker processes whose lease stands.",
            [Sample(count, {"state": state}) for state, count in states.items()],
        ),
        Gauge("durable_worker_slots", "Threads for workflows of those that claim.", [Sample(sum(claiming))]),
    ]


def _problems(ages: Mapping[str, float]) -> Gauge:
    verdicts = examine(Thresholds.of_settings(), ages)
    samples = [Sample(len(verdict.problems), {"check": verdict.check}) for verdict in verdicts]
    return Gauge("durable_problems", "What manage.py durable health finds, by check.", samples)
