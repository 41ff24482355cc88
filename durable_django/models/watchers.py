"""Watchers: those who wait for the end, or an event, of a workflow; they are locked together with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    for at in range(0, len(watched), _BATCH):
        found.update(by_name(rows, [pk for pk, _parent_id in watched[at : at + _BATCH]]))
    return found


def by_name(rows: WorkflowQuerySet, ids: Collection[str]) -> set[str]:
    """Return who waits for the end, or an event, of one of a few workflows, and says so (durable_workflow_waiting)."""
    return set(_naming(rows, ids).values_list("pk", flat=True))


def wake(rows: WorkflowQuerySet, ids: Sequence[str]) -> None:
    """Wake who waits for the end of these, or for an event that cannot come any more; also for one end of several."""
    for at in range(0, len(ids), _BATCH):
        batch = ids[at : at + _BATCH]
        _naming(rows, batch).wake()
        parents = rows.filter(pk__in=batch).values("parent_id")
        rows.filter(pk__in=parents).awaiting(awaited.FOR_SEVERAL).wake()


def _naming(rows: WorkflowQuerySet, ids: Collection[str]) -> WorkflowQuerySet:
    # The first condition is that of the index, without which SQLite would read the whole table.
    return rows.filter(_names_one_of(ids), waiting_for__gt="", status=Status.WAITING)


def _names_one_of(ids: Collection[str]) -> Q:
    chosen = Q(waiting_for__in=[awaited.for_end(each) for each in ids])
    for each in ids:
        first, behind = awaited.for_event(each, ""), awaited.behind_events(each)
        chosen |= Q(waiting_for__gte=first, waiting_for__lt=behind)
    return chosen
