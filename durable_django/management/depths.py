"""How full queues are, as it is read for people: what waits, what runs, what has started lately, at a bounded cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, OuterRef, QuerySet, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from durable_django.base.clock import Later
from durable_django.base.limits import Limits
from durable_django.engine import context
from durable_django.management.counting import Counted
from durable_django.management.durations import spoken_seconds
from durable_django.models.queue import Queue, QueueStart
from durable_django.models.standing import age_columns, age_of, count_columns, count_of
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow

#: Waiting workflows are counted no further: reading a million of them takes a second, and says nothing more.
MOST_COUNTED = 10_000
#: Many queues share this; but so many are counted in each.
_FEWEST_COUNTED = 1_000
#: Starts in the window of a rate are counted no further.
_MOST_STARTS = 100_000


@dataclass(frozen=True)
class Depth:
    """
    How full one queue is.

    queued          workflows that can be claimed now, as far as they are counted
    is_capped       whether there are more
    oldest_seconds  for how long the oldest has been runnable, as far as it is looked for: see models/standing.py; None
                    if there is none
    running         workflows that hold a slot; those of plain calls hold none
    started         starts in the window of the rate; None without one
    """

    queued: int
    is_capped: bool
    oldest_seconds: float | None
    running: int
    started: int | None

    @property
    def spoken_age(self) -> str:
        """How long the oldest has waited, in words."""
        return spoken_seconds(self.oldest_seconds)

    @property
    def spoken(self) -> str:
        """The number of those that wait, with a + if there are more."""
        return f"{self.queued}+" if self.is_capped else str(self.queued)


def depths(queues: Collection[Queue]) -> dict[str, Depth]:
    """Return how full these queues are, by name: two queries for all, bounded for each."""
    return {queue.name: depth for queue, depth in rows_with_depths([queue.pk for queue in queues])}


def rows_with_depths(names: Collection[str], ages: Mapping[str, float] | None = None) -> list[tuple[Queue, Depth]]:
    """Return the queues of these names in their order, each with how full it is. See depths() and with_depths()."""
    most = max(_FEWEST_COUNTED, MOST_COUNTED // max(len(names), 1))
    rows = Queue.objects.using(context.alias_of_workflows()).filter(pk__in=names).order_by("name")
    return with_depths(rows, min(most, MOST_COUNTED), ages) if names else []


def with_depths(rows: QuerySet[Queue], most: int, ages: Mapping[str, float] | None = None) -> list[tuple[Queue, Depth]]:
    """
    Return these queues, each with how full it is: two queries for all.

    most  waiting workflows that are counted in each
    ages  what oldest_seconds() has said, where it was asked before; otherwise it is asked here
    """
    alias = rows.db
    columns = {"found_in_window": _found_in_window(alias), **count_columns(alias, most)}
    asked = age_columns(alias) if ages is None else {}
    found: list[Any] = list(rows.annotate(**columns, **asked))
    running = running_by_queue() if found else {}
    return [
        (row, _depth(row, age_of(row) if ages is None else ages.get(row.name), running.get(row.name, 0), most))
        for row in found
    ]


def noisiest_partitions(queue: str, most: int = 10) -> list[tuple[str, int]]:
    """
    Return the partitions with the most waiting workflows, with their numbers.

    Among the first MOST_COUNTED that wait, in the order of turns (index durable_workflow_runnable).
    """
    waiting = Workflow.objects.using(context.alias_of_workflows()).runnable(queue)
    seen = [
        key
        for is_async in (False, True)
        for key in waiting.of_kind(is_async).values_list("partition_key", flat=True)[:MOST_COUNTED]
    ]
    return Counter(key for key in seen if key is not None).most_common(most)


def running_by_queue() -> dict[str, int]:
    """Return how many workflows of each queue hold a slot (index durable_workflow_owned): as many as workers have."""
    alias = context.alias_of_workflows()
    callers = Worker.objects.using(alias).filter(takes_slots=False)
    held = Workflow.objects.using(alias).filter(worker__isnull=False).exclude(worker__in=callers.values("pk"))
    return dict(held.order_by().values_list("queue").annotate(Count("pk")))


def described(limits: Limits) -> str:
    """Return the limits in a few words; empty if there are none."""
    parts = [
        _count(_("%(limit)d at a time"), limits.concurrency),
        _count(_("%(limit)d at a time per worker"), limits.worker_concurrency),
        _rate(_starts(limits.rate_limit), limits.rate_limit, limits.rate_seconds),
        _("partitioned") if limits.is_partitioned else "",
        _count(_("%(limit)d at a time per partition"), limits.partition_concurrency),
        _rate(_starts_of_each(limits.partition_rate_limit), limits.partition_rate_limit, limits.partition_rate_seconds),
    ]
    return ", ".join(part for part in parts if part)


def _count(text: str, limit: int | None) -> str:
    return "" if limit is None else text % {"limit": limit}


def _rate(text: str, limit: int | None, seconds: float | None) -> str:
    return "" if limit is None or seconds is None else text % {"limit": limit, "seconds": seconds}


def _starts(limit: int | None) -> str:
    return ngettext("%(limit)d start in %(seconds)g s", "%(limit)d starts in %(seconds)g s", limit or 0)


def _starts_of_each(limit: int | None) -> str:
    return ngettext(
        "%(limit)d start in %(seconds)g s per partition", "%(limit)d starts in %(seconds)g s per partition", limit or 0
    )


def _depth(row: Any, age: float | None, running: int, most: int) -> Depth:
    count = count_of(row)
    return Depth(
        queued=min(count, most),
        is_capped=count > most,
        oldest_seconds=age,
        running=running,
        started=row.found_in_window,
    )


def _found_in_window(alias: str) -> Case:
    starts = QueueStart.objects.using(alias).filter(
        queue=OuterRef("name"), started_at__gt=Later(Value(0.0) - OuterRef("rate_seconds"))
    )
    counted = Counted(starts.order_by(), _MOST_STARTS)
    return Case(When(rate_seconds__isnull=False, then=counted), default=None)
