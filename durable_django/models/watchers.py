"""Watchers: those who wait for the end, or an event, of a workflow; they are locked together with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from django.db.models import Q

from durable_django.models import awaited
from durable_django.models.status import Status

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: Workflows of one statement, each of which is a condition of its own.
_BATCH = 100


def of(rows: WorkflowQuerySet, ids: Collection[str]) -> set[str]:
    """
    Return who is woken if these workflows end: their parents, and those that wait for one of them by name.

    One query if nobody watches. What they watch must live: who waits for an end that has come is awake.
    """
    watched = list(rows.filter(pk__in=ids, is_watched=True, finished_at__isnull=True).values_list("pk", "parent_id"))
    found = {parent_id for _pk, parent_id in watched if parent_id}
    for batch in _batches(pk for pk, _parent_id in watched):
        found.update(by_name(rows, batch))
    return found


def by_name(rows: WorkflowQuerySet, ids: Collection[str]) -> set[str]:
    """Return who waits for the end, or an event, of one of a few workflows, and says so (durable_workflow_waiting)."""
    return set(_naming(rows, ids).values_list("pk", flat=True))


def wake(rows: WorkflowQuerySet, ids: Iterable[str]) -> None:
    """Wake who waits for the end of these, or for an event that cannot come any more; also for one end of several."""
    for batch in _batches(ids):
        _naming(rows, batch).wake()
        parents = rows.filter(pk__in=batch).values("parent_id")
        rows.filter(pk__in=parents).awaiting(awaited.FOR_SEVERAL).wake()


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield neighbours together: what is waited for of them stands close together in the index."""
    ordered = sorted(ids)
    return (ordered[at : at + _BATCH] for at in range(0, len(ordered), _BATCH))


def _naming(rows: WorkflowQuerySet, ids: Collection[str]) -> WorkflowQuerySet:
    # Each half has the condition of the index, without which SQLite would read the whole table; behind the bounds,
    # since of two lower ones SQLite takes the first.
    is_of_index = Q(waiting_for__gt="")
    ends = Q(waiting_for__in=[awaited.for_end(each) for each in ids])
    return rows.filter(Q(ends, is_of_index) | Q(*_of_events(ids), is_of_index), status=Status.WAITING)


def _of_events(ids: Collection[str]) -> Sequence[Q]:
    """Return the conditions of waiting for an event of one of these: from the first to the last, and in between."""
    ranges = [(awaited.for_event(each, ""), awaited.behind_events(each)) for each in ids]
    first, behind = min(first for first, _behind in ranges), max(behind for _first, behind in ranges)
    chosen = Q()
    for own_first, own_behind in ranges:
        chosen |= Q(waiting_for__gte=own_first, waiting_for__lt=own_behind)
    return Q(waiting_for__gte=first), Q(waiting_for__lt=behind), chosen
