"""
Duplicates: at most one live workflow holds a deduplication key of a queue, and a debounced one takes later calls in.

A unique index over live rows decides. The key of a debounced workflow is given up by its first claim, so that a call
during its run starts the next one; every other is held until the end, and taken again by resume().
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Least

from durable_django.base.clock import Later
from durable_django.exceptions import DuplicateWorkflow
from durable_django.models.compiled import Slot, Statement, update_query
from durable_django.models.fields import Literal

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet


def holder_of(alias: str, queue: str, key: str) -> tuple[str, str] | None:
    """Return id and name of the live workflow that holds a key (index durable_workflow_dedup)."""
    return _live(alias, queue, key).values_list("pk", "name").first()


def lock_with_holder(alias: str, workflow_id: str, queue: str, key: str) -> None:
    """Lock a workflow, and the one that holds a key, in order of id: the first is about to move the second."""
    if (holder := holder_of(alias, queue, key)) is not None:
        _live(alias, queue, key).lock_in_order({workflow_id, holder[0]})


def debounce(alias: str, values: dict[str, Any]) -> str | None:
    """
    Move the start of the debounced workflow that holds a key, and give it other arguments. Return its id.

    values  queue, deduplication_key, name; arguments, fingerprint; delay_seconds from now, at most until its
            latest_start

    None if there is none, it belongs to another workflow, or it was claimed already.
    """
    found = _MOVE.change(alias, values)
    return str(found[0][0]) if found else None


def require_free_keys(rows: WorkflowQuerySet) -> None:
    """Raise DuplicateWorkflow if another live workflow, or another one of these, has the key of one that has ended."""
    keyed = rows.filter(deduplication_key__isnull=False).order_by("line")
    holders: dict[tuple[str, str], str] = {}
    for workflow_id, queue, key in keyed.values_list("pk", "queue", "deduplication_key"):
        live = holder_of(rows.db, queue, str(key))
        holder = live[0] if live else holders.setdefault((queue, str(key)), workflow_id)
        if holder != workflow_id:
            raise DuplicateWorkflow(workflow_id=holder, deduplication_key=key, queue=queue)


def _live(alias: str, queue: Any, key: Any) -> WorkflowQuerySet:
    rows: WorkflowQuerySet = apps.get_model("durable_django", "Workflow")._default_manager.using(alias)
    return rows.filter(queue=queue, deduplication_key=key, finished_at__isnull=True)


def _move(alias: str) -> Any:
    text = models.TextField()
    rows = _live(alias, Slot("queue", text), Slot("deduplication_key", text)).filter(
        name=Slot("name", text), is_debounced=True, status=Literal("queued"), attempt=0, worker__isnull=True
    )
    later = Later(Slot("delay_seconds", models.FloatField()))
    changes = {
        "arguments": Slot("arguments", text),
        "fingerprint": Slot("fingerprint", text),
        "run_after": Case(When(latest_start__isnull=True, then=later), default=Least(later, F("latest_start"))),
        "waiting_for": "",
    }
    return update_query(rows, changes)


_MOVE = Statement(_move, returning=("id",))
