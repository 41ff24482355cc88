"""
Claims: runnable workflows are given to a worker, each to one, in the order of their turn.

One statement chooses the rows, changes them and returns what their attempts need. A claim stands between a start and
its first step; and while many workflows are drained, claims are all that happens one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.apps import apps
from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Coalesce

from durable_django.base.clock import Later, Now
from durable_django.models.compiled import Slot, Statement, update_query
from durable_django.models.fields import AnyOf, Literal

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: How long a workflow is put aside that no loaded code knows (seconds), and how many at once.
_ASIDE_SECONDS = 30
_MOST_ASIDE = 1000
#: What an attempt needs to know, and its place in line; in the order of the model, as from_db() takes
#: them. Neither moments nor JSON: other hands may have written some that cannot be read, which must not stop a claim of
#: others. Who asks a claimed workflow for them reads them then.
_CLAIMED = (
    "id", "name", "status", "queue", "priority", "line", "is_async", "arguments", "started_by", "parent_id",
    "forked_from_id", "worker", "attempt", "recoveries", "max_recoveries", "failures",
)  # fmt: skip

Choose = Callable[["WorkflowQuerySet"], "WorkflowQuerySet"]


class Wanted(NamedTuple):
    """
    Which workflows a worker wants: the next ones of a queue, at most `limit`, of names that it knows.

    is_alone  those that must run alone, else the others
    is_async  those for an event loop, or those for threads; None: both
    """

    queue: str
    limit: int
    names: tuple[str, ...]
    is_alone: bool = False
    is_async: bool | None = None


def claim(alias: str, worker_id: str, wanted: Wanted) -> list[Workflow]:
    """Give workflows to a worker; if there are none, put those of unknown names aside."""
    found = _take(_next(wanted._replace(queue="")), alias, worker=worker_id, queue=wanted.queue)
    if not found:
        put_aside(alias, wanted.queue, wanted.names)
    return found


def claim_chosen(alias: str, worker_id: str, choose: Choose) -> list[Workflow]:
    """Give those workflows to a worker that a queryset of all of them is narrowed down to."""
    return _take(_statement(choose), alias, worker=worker_id)


def _take(statement: Statement, alias: str, **values: Any) -> list[Workflow]:
    """Claim, and return the workflows as they are now, in the order of their turn, which no database promises."""
    model = _workflows(alias).model
    found = [model.from_db(alias, _CLAIMED, row) for row in statement.change(alias, values)]
    found.sort(key=lambda workflow: (-workflow.priority, workflow.line))
    return found


def _workflows(alias: str) -> WorkflowQuerySet:
    rows: WorkflowQuerySet = apps.get_model("durable_django", "Workflow")._default_manager.using(alias)
    return rows


@cache
def _next(wanted: Wanted) -> Statement:
    def choose(rows: WorkflowQuerySet) -> WorkflowQuerySet:
        ready = rows.runnable(Slot("queue", models.CharField())).of_kind(wanted.is_async).filter(name__in=wanted.names)
        return (ready.suspects() if wanted.is_alone else ready.unsuspected())[: wanted.limit]

    return _statement(choose)


def _statement(choose: Choose) -> Statement:
    def build(alias: str) -> Any:
        rows = _workflows(alias)
        chosen = choose(rows.select_for_update(skip_locked=True, no_key=True)).values("pk")
        return update_query(rows.filter(AnyOf("pk", chosen)), _changes())

    return Statement(build, returning=_CLAIMED)


def _changes() -> dict[str, Any]:
    first_deadline = When(deadline__isnull=True, timeout_seconds__isnull=False, then=Later(F("timeout_seconds")))
    return {
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


def put_aside(alias: str, queue: str, names: Collection[str]) -> None:
    """Let workflows without code here stand before nobody; a worker that has it takes them up at once."""
    ids = list(_workflows(alias).runnable(queue).exclude(name__in=names).values_list("pk", flat=True)[:_MOST_ASIDE])
    if ids:
        unknown = _workflows(alias).runnable(queue).filter(pk__in=ids).order_by()
        unknown.update(run_after=Later(_ASIDE_SECONDS), waiting_for="code")
