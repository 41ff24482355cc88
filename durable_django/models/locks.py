"""Locks of workflows' rows, in order of id as all take them; one row by a statement that is compiled once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import CharField

from durable_django.models.compiled import Slot, Statement
from durable_django.models.workflow import Workflow


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


def _query(alias: str, *, nowait: bool, **chosen: Any) -> Any:
    rows = Workflow.objects.using(alias).filter(**chosen).order_by("pk")
    locked = rows.select_for_update(no_key=True, nowait=nowait and connections[alias].vendor == "postgresql")
    return locked.values_list("pk", "attempt", "worker", "status", "waiting_for")


_ID = {"pk": Slot("id", CharField())}
_LOCK = Statement(lambda alias: _query(alias, nowait=False, **_ID).query)
_LOCK_AT_ONCE = Statement(lambda alias: _query(alias, nowait=True, **_ID).query)
