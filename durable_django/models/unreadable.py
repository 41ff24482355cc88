"""Rows that other hands have written and nobody can read: paused with the reason, so that they stand before nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import DatabaseError

from durable_django.models.status import Status

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow
    from durable_django.models.workflow_queryset import WorkflowQuerySet

_ERRORS = (DatabaseError, ValueError, TypeError, AttributeError)


def read_others(rows: WorkflowQuerySet, limit: int) -> list[Workflow]:
    """Read rows, at most `limit`, all at once; if one cannot be read, an infinite moment for one, all others."""
    try:
        return list(rows[:limit])
    except _ERRORS as error:
        if _is_of_the_database(error):
            raise
        return _read_one_by_one(rows, limit)


def _read_one_by_one(rows: WorkflowQuerySet, limit: int) -> list[Workflow]:
    readable = []
    for key in list(rows.values_list("pk", flat=True)[:limit]):
        try:
            readable.append(rows.get(pk=key))
        except _ERRORS as error:
            if _is_of_the_database(error):
                raise
            _set_aside(rows.model._default_manager.using(rows.db).filter(pk=key), error)
    return readable


def _is_of_the_database(error: Exception) -> bool:
    """Whether the database itself has refused: what only the driver, or Django, cannot read carries no code."""
    return any(getattr(error.__cause__, name, None) is not None for name in ("sqlstate", "sqlite_errorcode"))


def _set_aside(row: WorkflowQuerySet, error: Exception) -> None:
    live = row.filter(status__in=(Status.QUEUED, Status.RUNNING))
    live.update(status=Status.PAUSED, reason=f"its row cannot be read: {error}")
    row.update(worker=None)
