"""
Claims: runnable workflows are given to a worker, each to one, in the order of their turn.

One statement chooses the rows, changes them and returns what their attempts need. A claim stands between a start and
its first step; and while many workflows are drained, claims are all that happens one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.apps import apps
from django.db import models, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from durable_django.base.clock import Later, Now
from durable_django.models.compiled import Slot, Statement, update_query
from durable_django.models.fields import AnyOf, Literal
from durable_django.models.queue import Queue
from durable_django.models.tuning import make_durable, unhurried
from durable_django.models.worker import Worker

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: How long a workflow is put aside that no loaded code knows (seconds), and how many at once.
_ASIDE_SECONDS = 30
_MOST_ASIDE = 1000
#: What has less left than this was left alone by all workers, which look every ten seconds for what they know.
TAKEN_UP_SECONDS = 15
#: What an attempt needs to know, and its place in line; in the order of the model, as from_db() takes
#: them. Neither moments nor JSON: other hands may have written some that cannot be read, which must not stop a claim of
#: others. Who asks a claimed workflow for them reads them then.
_CLAIMED = (
    "id", "name", "status", "queue", "priority", "line", "partition_key", "is_async", "arguments", "started_by",
    "trace_context", "parent_id", "forked_from_id", "worker", "attempt", "recoveries", "max_recoveries", "failures",
    "is_debounced",
)  # fmt: skip

Choose = Callable[["WorkflowQuerySet"], "WorkflowQuerySet"]


class Wanted(NamedTuple):
    """
    Which workflows a worker wants: the next ones of a queue, at most `limit`, of names that it knows.

    is_alone   those that must run alone, else the others
    is_async   those for an event loop, or those for threads; None: both
    has_begun  those that were claimed before, or those that were not; None: both
    """

    queue: str
    limit: int
    names: tuple[str, ...]
    is_alone: bool = False
    is_async: bool | None = None
    has_begun: bool | None = None


def claim(alias: str, worker_id: str, wanted: Wanted) -> list[Workflow]:
    """
    Give workflows of an open queue without limits to a worker; if there are none, put those of unknown names aside.

    That the queue is open and without limits is a condition of the statement itself: what an operator has changed since
    the worker looked holds for this claim.
    """
    found = _take(_next(wanted._replace(queue=""), is_free=True), alias, worker=worker_id, queue=wanted.queue)
    if any(each.is_debounced and each.attempt == 1 for each in found):
        # What has given up its key must not have it again after a crash: a call would change what runs already.
        make_durable(alias, wanted.queue)
    if not found:
        put_aside(alias, wanted.queue, wanted.names)
    return found


def take(alias: str, worker_id: str, wanted: Wanted) -> list[Workflow]:
    """Give workflows to a worker; the caller has seen to the limits of the queue."""
    return _take(_next(wanted._replace(queue=""), is_free=False), alias, worker=worker_id, queue=wanted.queue)


def take_chosen(alias: str, worker_id: str, ids: Sequence[str]) -> list[Workflow]:
    """Give those with these ids to a worker, in this order, that are still runnable and that nobody else has locked."""
    if not ids:
        return []
    chosen = {f"id_{number}": workflow_id for number, workflow_id in enumerate(ids)}
    found = _take(_of_ids(len(ids)), alias, worker=worker_id, **chosen)
    return sorted(found, key=lambda workflow: ids.index(workflow.pk))


def ready(rows: WorkflowQuerySet, wanted: Wanted, queue: str | models.Expression | None = None) -> WorkflowQuerySet:
    """Return all of the rows that are wanted, whatever the limit, in the order of their turn."""
    rows = rows.runnable(wanted.queue if queue is None else queue).of_kind(wanted.is_async)
    rows = rows.filter(name__in=wanted.names)
    if wanted.has_begun is not None:
        rows = rows.filter(attempt__gt=Literal(0)) if wanted.has_begun else rows.filter(attempt=Literal(0))
    return rows.suspects() if wanted.is_alone else rows.unsuspected()


def claim_chosen(alias: str, worker_id: str, choose: Choose) -> list[Workflow]:
    """Give those workflows to a worker that a queryset of all of them is narrowed down to."""
    return _take(_statement(choose), alias, worker=worker_id)


def _take(statement: Statement, alias: str, **values: Any) -> list[Workflow]:
    """Claim, and return the workflows as they are now, in the order of their turn, which no database promises."""
    model = workflows(alias).model
    found = [model.from_db(alias, _CLAIMED, row) for row in statement.change(alias, values)]
    found.sort(key=lambda workflow: (-workflow.priority, workflow.line))
    return found


def workflows(alias: str) -> WorkflowQuerySet:
    """Return all workflows of a database; the model imports this module, and not the other way round."""
    rows: WorkflowQuerySet = apps.get_model("durable_django", "Workflow")._default_manager.using(alias)
    return rows


@cache
def _next(wanted: Wanted, *, is_free: bool) -> Statement:
    def choose(rows: WorkflowQuerySet) -> WorkflowQuerySet:
        queue = Slot("queue", models.CharField())
        chosen = ready(rows, wanted, queue)
        if is_free:
            chosen = chosen.filter(~Exists(Queue.objects.using(rows.db).bound().filter(pk=queue)))
            # Nothing has happened yet under a claim. What may take the server with it is counted on disk.
            chosen = chosen.filter(*([] if wanted.is_alone else unhurried(rows.db)))
        return chosen[: wanted.limit]

    return _statement(choose)


@cache
def _of_ids(count: int) -> Statement:
    def choose(rows: WorkflowQuerySet) -> WorkflowQuerySet:
        slots = [Slot(f"id_{number}", models.CharField()) for number in range(count)]
        # So that no index of runnable ones fits, which without statistics seems to have next to nothing to read.
        unheld = Exact(Coalesce("worker", Value("")), Value(""))
        return rows.filter(unheld, pk__in=slots, status=Literal("queued"), run_after__isnull=True)

    return _statement(choose)


def _statement(choose: Choose) -> Statement:
    def build(alias: str) -> Any:
        rows = workflows(alias)
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
        # A call during the run starts the next one.
        "deduplication_key": Case(When(is_debounced=True, then=None), default=F("deduplication_key")),
        "deadline": Case(first_deadline, default=F("deadline")),
    }


def codeless(alias: str) -> Q:
    """
    Return the condition of workflows that no live worker knows (index durable_workflow_no_code).

    Where several projects share the tables, each puts aside what only another one knows; of one that has workers, what
    these take up within moments does not count.
    """
    workers = Worker.objects.using(alias).claiming()
    has_own = Exists(workers.filter(application=OuterRef("application")))
    has_others = Exists(workers.exclude(application=OuterRef("application")))
    return Q(waiting_for=Literal("code")) & ~Q(Q(run_after__gt=Later(TAKEN_UP_SECONDS)), has_others, has_own)


def put_aside(alias: str, queue: str, names: Collection[str]) -> None:
    """Let workflows without code here stand before nobody; a worker that has it takes them up at once."""
    unknown = workflows(alias).runnable(queue).exclude(name__in=names)
    # Asked often and in vain: without a lock.
    if ids := list(unknown.values_list("pk", flat=True)[:_MOST_ASIDE]):
        # Nor does it wait for an operator's verb, which locks many in order of id.
        with transaction.atomic(using=alias):
            free = unknown.filter(pk__in=ids).order_by().select_for_update(skip_locked=True, no_key=True)
            chosen = workflows(alias).filter(AnyOf("pk", free.values("pk")))
            chosen.update(run_after=Later(_ASIDE_SECONDS), waiting_for="code")
