"""
Claims: runnable workflows are given to a worker, each to one, in the order of their turn.

The statements are compiled once for each number of rows, since a claim stands between a start and its first step.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import DatabaseError, models, transaction
from django.db.models import Case, F, When
from django.db.models.functions import Coalesce

from durable_django.base.clock import Later, Now
from durable_django.models.compiled import Slot, Statement, update_query
from durable_django.models.fields import Literal
from durable_django.models.status import Status
from durable_django.models.turns import turn

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: How long a workflow is put aside that no loaded code knows (seconds), and how many at once.
_ASIDE_SECONDS = 30
_MOST_ASIDE = 1000


def claim(alias: str, worker_id: str, queue: str, limit: int, names: Collection[str]) -> list[Workflow]:
    """Give the next workflows of a queue to a worker, at most `limit`; put aside those that it does not know."""
    with turn(alias), transaction.atomic(using=alias):
        found = _read_runnable(alias, queue, limit)
        known = [workflow for workflow in found if workflow.name in names]
        if len(known) < len(found):
            _put_aside(alias, queue, names)
        return give(alias, known, worker_id)


def give(alias: str, workflows: list[Workflow], worker_id: str) -> list[Workflow]:
    """Make these workflows, which the caller has locked, RUNNING under the worker. Return them as they are now."""
    if not workflows:
        return []
    keys = {_key(number): workflow.pk for number, workflow in enumerate(workflows)}
    _given(len(workflows)).execute(alias, {"worker": worker_id, **keys})
    for workflow in workflows:
        workflow.status, workflow.worker = Status.RUNNING, worker_id
        workflow.attempt += 1
    _read_deadlines(alias, workflows)
    return workflows


def _workflows(alias: str) -> WorkflowQuerySet:
    rows: WorkflowQuerySet = apps.get_model("durable_django", "Workflow")._default_manager.using(alias)
    return rows


def _read(statement: Statement, alias: str, values: dict[str, Any]) -> list[Workflow]:
    model = _workflows(alias).model
    names = [field.attname for field in model._meta.concrete_fields]
    return [model.from_db(alias, names, row) for row in statement.fetch(alias, values)]


def _read_runnable(alias: str, queue: str, limit: int) -> list[Workflow]:
    try:
        return _read(_runnable(limit), alias, {"queue": queue})
    except (DatabaseError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", None):
            raise
        # A row that somebody else wrote holds what cannot be read, an infinite moment for one.
        return _pause_unreadable(alias, queue, limit)


def _pause_unreadable(alias: str, queue: str, limit: int) -> list[Workflow]:
    """Read one by one; what cannot be read is paused with the reason, so that it stands before nobody."""
    locked = _workflows(alias).runnable(queue).unsuspected().select_for_update(skip_locked=True, no_key=True)
    readable = []
    for key in list(locked.values_list("pk", flat=True)[:limit]):
        row = _workflows(alias).filter(pk=key)
        try:
            readable.append(row.get())
        except (DatabaseError, ValueError, TypeError, AttributeError) as error:
            row.update(status=Status.PAUSED, reason=f"its row cannot be read: {error}")
    return readable


@cache
def _runnable(limit: int) -> Statement:
    def build(alias: str) -> Any:
        ready = _workflows(alias).runnable(Slot("queue", models.CharField())).unsuspected()
        return ready.select_for_update(skip_locked=True, no_key=True)[:limit].query

    return Statement(build)


@cache
def _given(count: int) -> Statement:
    ids = [Slot(_key(number), models.CharField()) for number in range(count)]
    first_deadline = When(deadline__isnull=True, timeout_seconds__isnull=False, then=Later(F("timeout_seconds")))
    changes = {
        "status": Literal("running"),
        "worker": Slot("worker", models.CharField()),
        "attempt": F("attempt") + 1,
        "claimed_at": Now(),
        "started_at": Coalesce("started_at", Now()),
        "run_after": None,
        "waiting_for": "",
        "reason": "",
        "deadline": Case(first_deadline, default=F("deadline")),
    }
    return Statement(lambda alias: update_query(_workflows(alias).filter(pk__in=ids), changes))


def _key(number: int) -> str:
    return f"id{number}"


def _read_deadlines(alias: str, workflows: list[Workflow]) -> None:
    """Read back the deadlines that the database has just set; no query if no workflow has a timeout."""
    timed = [workflow.pk for workflow in workflows if workflow.timeout_seconds is not None]
    deadlines = dict(_workflows(alias).filter(pk__in=timed).values_list("pk", "deadline")) if timed else {}
    for workflow in workflows:
        workflow.deadline = deadlines.get(workflow.pk, workflow.deadline)


def _put_aside(alias: str, queue: str, names: Collection[str]) -> None:
    """Let workflows without code here stand before nobody; a worker that has it takes them up at once."""
    unknown = _workflows(alias).runnable(queue).exclude(name__in=names)
    locked = unknown.select_for_update(skip_locked=True, no_key=True)
    ids = list(locked.values_list("pk", flat=True)[:_MOST_ASIDE])
    _workflows(alias).filter(pk__in=ids).update(run_after=Later(_ASIDE_SECONDS), waiting_for="code")
