"""How full queues are, as it is read for people: what waits, what runs, what has started lately, at a bounded cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count

from durable_django.base.limits import Limits
from durable_django.engine import context
from durable_django.models.queue import Queue, QueueStart
from durable_django.models.standing import standing
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow

#: Waiting workflows are counted no further: reading a million of them takes a second, and says nothing more.
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Depth:
    """
    How full one queue is.

    queued          workflows that can be claimed now, as far as they are counted
    is_capped       whether there are more
    oldest_seconds  for how long the oldest of those that were counted has been runnable; None if there is none
    running         workflows that hold a slot; those of plain calls hold none
    started         starts in the window of the rate; None without one
    """

    queued: int
    is_capped: bool
    oldest_seconds: float | None
    running: int
    started: int | None

    @property
    def spoken(self) -> str:
        """The number of those that wait, with a + if there are more."""
        return f"{self.queued}+" if self.is_capped else str(self.queued)


def depths(queues: Collection[Queue]) -> dict[str, Depth]:
    """Return how full these queues are, by name: one query for all, and two or three bounded ones for each."""
    running = running_by_queue()
    return {queue.name: _depth(queue, running.get(queue.name, 0)) for queue in queues}


def running_by_queue() -> dict[str, int]:
    """Return how many workflows of each queue hold a slot (index durable_workflow_owned): as many as workers have."""
    alias = context.alias_of_workflows()
    callers = Worker.objects.using(alias).filter(takes_slots=False)
    held = Workflow.objects.using(alias).filter(worker__isnull=False).exclude(worker__in=callers.values("pk"))
    return dict(held.order_by().values_list("queue").annotate(Count("pk")))


def described(limits: Limits) -> str:
    """Return the limits in a few words; empty if there are none."""
    parts = [
        _count("", limits.concurrency),
        _count(" per worker", limits.worker_concurrency),
        _rate("", limits.rate_limit, limits.rate_seconds),
        "partitioned" if limits.is_partitioned else "",
        _count(" per partition", limits.partition_concurrency),
        _rate(" per partition", limits.partition_rate_limit, limits.partition_rate_seconds),
    ]
    return ", ".join(part for part in parts if part)


def _count(what: str, limit: int | None) -> str:
    return "" if limit is None else f"{limit} at a time{what}"


def _rate(what: str, limit: int | None, seconds: float | None) -> str:
    return "" if limit is None or seconds is None else f"{limit} starts in {seconds:g} s{what}"


def _depth(queue: Queue, running: int) -> Depth:
    found = standing(context.alias_of_workflows(), queue.name, MOST_COUNTED)
    return Depth(
        queued=min(found.count, MOST_COUNTED),
        is_capped=found.count > MOST_COUNTED,
        oldest_seconds=found.oldest_seconds,
        running=running,
        started=_started(queue),
    )


def _started(queue: Queue) -> int | None:
    if queue.rate_seconds is None:
        return None
    starts = QueueStart.objects.using(context.alias_of_workflows())
    return starts.within(queue.name, queue.rate_seconds).count()
