"""How many workflows were started, succeeded and failed in each part of a time, as read for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Min, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from durable_django.base.clock import Later, PartOfPast
from durable_django.engine import context
from durable_django.models.workflow import Workflow

#: Rows of each kind that are looked at, the newest: a busier time is seen only in part.
MOST_SEEN = 100_000
#: Parts of a time: as many as a small drawing can show.
PARTS = 48


@dataclass(frozen=True)
class Throughput:
    """
    Numbers for each part of a time, the oldest first.

    seconds     the whole time, which ends now
    seen_since  what is older than this is missing, since so much has happened since; None if nothing is missing
    """

    seconds: float
    started: Sequence[int]
    succeeded: Sequence[int]
    failed: Sequence[int]
    seen_since: datetime | None


def measure(seconds: float) -> Throughput:
    """Count what has happened in the last seconds: two queries, along the indexes on creation and end."""
    rows = Workflow.objects.using(context.alias_of_workflows())
    found = {name: [0] * PARTS for name in ("started", "succeeded", "failed")}
    firsts = []
    for _nobody, part, count, first in _counted(rows, "created_at", seconds, Value("")):
        found["started"][part - 1] += count
        firsts.append(first)
    ended = rows.filter(status__in=("succeeded", "failed"), finished_at__isnull=False)
    for status, part, count, first in _counted(ended, "finished_at", seconds, F("status")):
        found[status][part - 1] += count
        firsts.append(first)
    counts = (sum(found["started"]), sum(found["succeeded"]) + sum(found["failed"]))
    return Throughput(seconds, **found, seen_since=min(firsts) if max(counts) > MOST_SEEN else None)


def starts_by_queue(seconds: float) -> dict[str, list[int]]:
    """Return how many workflows of each queue were started in each part of the last seconds; one query."""
    rows = Workflow.objects.using(context.alias_of_workflows())
    found: dict[str, list[int]] = {}
    for queue, part, count, _first in _counted(rows, "created_at", seconds, F("queue")):
        found.setdefault(queue, [0] * PARTS)[part - 1] += count
    return found


def _counted(rows: QuerySet[Workflow], column: str, seconds: float, kind: Any) -> Any:
    """Return for each kind and part, the oldest being 1: the number of rows, and the first moment among them."""
    recent = rows.filter(**{f"{column}__gte": Later(-seconds)})
    behind = Subquery(recent.order_by(f"-{column}").values(column)[MOST_SEEN : MOST_SEEN + 1])
    # Both bounds: of the second one alone the planner of PostgreSQL thinks that it leaves a third of the table.
    seen = recent.filter(**{f"{column}__gte": Coalesce(behind, Later(-seconds))}).order_by()
    parts = seen.annotate(kind=kind, part=PartOfPast(column, seconds, PARTS)).values("kind", "part")
    return parts.annotate(number=Count("*"), first=Min(column)).values_list("kind", "part", "number", "first")
