"""Standing in line: how many workflows of queues are runnable, and since when, in one statement for all queues."""

from __future__ import annotations

from typing import Any

from django.db.models import IntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from durable_django.base.clock import MomentField, SecondsUntil
from durable_django.models.queue import Queue
from durable_django.models.workflow import Workflow

#: The moment since which a runnable workflow stands in line.
SINCE = Coalesce("runnable_at", "created_at")
#: Workflows among which the oldest of a queue is looked for: unlike to count them, it is to read their rows. For each
#: kind the queues share the first number, but each has at least the second one, and at most the third.
_SHARED, _FEWEST, _MOST = 20_000, 100, 1000


def count_columns(alias: str, most: int) -> dict[str, Any]:
    """
    Return columns for a query of queues, which count_of() understands.

    most  the next so many of each kind are counted, and one more
    """
    for_threads, for_loops = (_Counted(kind, most + 1) for kind in _kinds_in_line(alias))
    return {"count_for_threads": for_threads, "count_for_loops": for_loops}


def count_of(row: Any) -> int:
    """Return how many stand in line in a queue."""
    return int(row.count_for_threads + row.count_for_loops)


def age_columns(alias: str) -> dict[str, Any]:
    """Return columns for a query of queues, which age_of() understands."""
    earliest: list[Any] = [_Earliest(kind) for kind in _kinds_in_line(alias)]
    return {"until_for_threads": SecondsUntil(earliest[0]), "until_for_loops": SecondsUntil(earliest[1])}


def age_of(row: Any) -> float | None:
    """
    Return for how long (seconds) the oldest runnable workflow of a queue has stood in line; None if none does.

    Of the next thousand of each kind, in the order of their turn; of fewer where there are more than twenty queues, but
    of a hundred.
    """
    found = [-seconds for seconds in (row.until_for_threads, row.until_for_loops) if seconds is not None]
    return max(0.0, *found) if found else None


def oldest_seconds(queues: QuerySet[Queue]) -> dict[str, float]:
    """Return the age_of() each of these queues in which any workflow stands, by name; one statement for all."""
    return {name: age for name, age in ages_of(queues).items() if age is not None}


def ages_of(queues: QuerySet[Queue]) -> dict[str, float | None]:
    """Return the age_of() each of these queues, by name; one statement for all."""
    rows = queues.order_by("name").only("name").annotate(**age_columns(queues.db))
    return {row.name: age_of(row) for row in rows}


def _kinds_in_line(alias: str) -> list[QuerySet[Workflow]]:
    """
    Return what is runnable in each queue of the query around it: for threads, and for event loops.

    Each in the order of turns, which is that of the index durable_workflow_runnable for each kind: of both kinds at
    once all would be sorted.
    """
    runnable = Workflow.objects.using(alias).runnable(OuterRef("name"))
    return [runnable.of_kind(is_async) for is_async in (False, True)]


class _Next(Subquery):
    """
    What is to be said of the next workflows in line.

    How many these are PostgreSQL is not to know. Of a number it may think that it is cheaper to read all that stands in
    line, and to sort it; a million, if what it knows of the queue is old. Otherwise it expects a tenth of them, and
    goes along the index.
    """

    template = "(SELECT %(said)s FROM (%(subquery)s LIMIT (SELECT %(most)s)) AS line)"


class _Counted(_Next):
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any], most: int) -> None:
        # No column of the row: the index alone may do.
        super().__init__(rows.values(one=Value(1)), said="COUNT(*)", most=int(most))


class _Earliest(_Next):
    output_field = MomentField()

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.values(since=SINCE), said="MIN(since)", most=_share())


def _share() -> str:
    """Return how many each queue has of what they share, as the database finds it when it knows their number."""
    share = f"WHEN COUNT(*) * {_FEWEST} < {_SHARED} THEN {_SHARED} / COUNT(*) ELSE {_FEWEST}"
    return f'CASE WHEN COUNT(*) * {_MOST} <= {_SHARED} THEN {_MOST} {share} END FROM "{Queue._meta.db_table}"'
