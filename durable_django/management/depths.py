"""How full queues are, as it is read for people: what waits, what runs, what has started lately, at a bounded cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min

from durable_django.base.clock import SecondsUntil
from durable_django.base.limits import Limits
from durable_django.engine import context
from durable_django.models.queue import Queue, QueueStart
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
    oldest_seconds  since the oldest of those that were counted was started; None if there is none
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
    running = _running()
    return {queue.name: _depth(queue, running.get(queue.name, 0)) for queue in queues}


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
    waiting = [_waiting(queue.name, is_async=is_async) for is_async in (False, True)]
    count = sum(each["count"] for each in waiting)
    ages = [-each["oldest"] for each in waiting if each["oldest"] is not None]
    return Depth(
        queued=min(count, MOST_COUNTED),
        is_capped=count > MOST_COUNTED,
        oldest_seconds=max(0.0, *ages) if ages else None,
        running=running,
        started=_started(queue),
    )


def _waiting(queue: str, *, is_async: bool) -> dict[str, Any]:
    """Count in the order of turns, which is that of the index for each kind: otherwise all of them would be sorted."""
    runnable = Workflow.objects.using(context.alias_of_workflows()).runnable(queue).of_kind(is_async)
    counted: dict[str, Any] = runnable[: MOST_COUNTED + 1].aggregate(
        count=Count("pk"), oldest=Min(SecondsUntil("created_at"))
    )
    return counted


def _running() -> dict[str, int]:
    """Return how many workflows of each queue hold a slot (index durable_workflow_owned): as many as workers have."""
    alias = context.alias_of_workflows()
    callers = Worker.objects.using(alias).filter(takes_slots=False)
    held = Workflow.objects.using(alias).filter(worker__isnull=False).exclude(worker__in=callers.values("pk"))
    return dict(held.order_by().values_list("queue").annotate(Count("pk")))


def _started(queue: Queue) -> int | None:
    if queue.rate_seconds is None:
        return None
    starts = QueueStart.objects.using(context.alias_of_workflows())
    return starts.within(queue.name, queue.rate_seconds).count()
