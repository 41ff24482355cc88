"""Locks of workflows' rows, in order of id as all take them; one row by a statement that is compiled once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import CharField, IntegerField, Q

from durable_django.models.compiled import Slot, Statement
from durable_django.models.fields import EmptyText, Literal
from durable_django.models.workflow import Workflow

#: In the order of the model, as from_db() takes them; of strangers no moments, which may be such as cannot be read.
_READ = ("id", "status", "is_watched", "deadline")
_READ_OF_ALL = _READ[:-1]


class Locked(NamedTuple):
    """What a row says under its lock."""

    attempt: int
    worker: str | None
    status: str
    waiting_for: str


def lock(alias: str, workflow_ids: Collection[str], *, nowait: bool = False) -> dict[str, Locked]:
    """
    Lock workflows until the transaction ends. Return what each says that exists.

    nowait  raise OperationalError (55P03) if somebody holds one, where the database can
    """
    if len(workflow_ids) == 1:
        (workflow_id,) = workflow_ids
        found = (_LOCK_AT_ONCE if nowait else _LOCK).fetch(alias, {"id": workflow_id})
    else:
        found = list(_query(alias, nowait=nowait, pk__in=workflow_ids))
    return {row[0]: Locked(*row[1:]) for row in found}


def lock_own(workflow: Workflow) -> Workflow | None:
    """Lock the row of an attempt until the transaction ends. Return it as it is now, None if others hold it."""
    alias = workflow._state.db or "default"
    held = {"id": workflow.pk, "attempt": workflow.attempt, "worker": workflow.worker}
    found = _LOCK_OWN.fetch(alias, held)
    return Workflow.from_db(alias, _READ, found[0]) if found else None


def lock_with_waiting(workflow: Workflow, text: str) -> Workflow | None:
    """
    Lock the row of an attempt, and of those who wait for something, in order of id, until the transaction ends.

    Return the attempt's own as lock_own() does, but without its deadline. One statement: whether anybody waits is known
    under the lock only, when it is too late to lock who comes before.

    text  what they wait for, see models/awaited.py
    """
    alias = workflow._state.db or "default"
    for *fence, pk, status, is_watched in _LOCK_WITH_WAITING.fetch(alias, {"id": workflow.pk, "text": text}):
        if pk == workflow.pk and fence == [workflow.attempt, workflow.worker]:
            return Workflow.from_db(alias, _READ_OF_ALL, (pk, status, is_watched))
    return None


def _query(alias: str, *, nowait: bool, **chosen: Any) -> Any:
    rows = Workflow.objects.using(alias).filter(**chosen).order_by("pk")
    locked = rows.select_for_update(no_key=True, nowait=nowait and connections[alias].vendor == "postgresql")
    return locked.values_list("pk", "attempt", "worker", "status", "waiting_for")


def _own(alias: str) -> Any:
    fence = {"attempt": Slot("attempt", IntegerField()), "worker": Slot("worker", CharField())}
    rows = Workflow.objects.using(alias).filter(**_ID, **fence)
    return rows.select_for_update(no_key=True).values_list(*_READ).query


def _with_waiting(alias: str) -> Any:
    # The first condition is that of the index (durable_workflow_waiting).
    waiting = Q(waiting_for__gt=EmptyText(), waiting_for=Slot("text", CharField()), status=Literal("waiting"))
    rows = Workflow.objects.using(alias).filter(waiting | Q(**_ID)).order_by("pk")
    # The fence is no condition: PostgreSQL might rather go by the worker than by the id.
    return rows.select_for_update(no_key=True).values_list("attempt", "worker", *_READ_OF_ALL).query


_ID = {"pk": Slot("id", CharField())}
_LOCK = Statement(lambda alias: _query(alias, nowait=False, **_ID).query)
_LOCK_AT_ONCE = Statement(lambda alias: _query(alias, nowait=True, **_ID).query)
_LOCK_OWN = Statement(_own)
_LOCK_WITH_WAITING = Statement(_with_waiting)
