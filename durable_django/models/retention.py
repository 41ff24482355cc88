"""
Retention: what has ended long enough ago loses all but its bare row, and later that too.

So long after its end (retention_seconds of its row, else RETENTION_DAYS or FAILED_RETENTION_DAYS) a workflow is
pruned: arguments, outcome, steps, messages, events and streams go. pruned_at says since when; is_bare, that nothing is
left but the row. It stays until IDEMPOTENCY_DAYS after the end, so that a late start with the same id finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import CharField, Exists, Model, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Concat

from durable_django.base.clock import FOR_EVER, Later, Now
from durable_django.conf import durable_settings
from durable_django.exceptions import WorkflowPruned
from durable_django.models import awaited, replacements
from durable_django.models.event import Event, EventChange
from durable_django.models.fields import AnyOf
from durable_django.models.message import Message
from durable_django.models.status import Status
from durable_django.models.step import Step
from durable_django.models.stream import StreamEntry
from durable_django.models.turns import short_transaction

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: Workflows that one transaction deals with, and rows that one of its statements deletes.
BATCH = 500
ROWS = 5000
_DAY_SECONDS = 86400.0
#: What the texts of those begin with that wait for the end of a workflow, or for an event of it.
_OF_END, _OF_EVENT = (first for first, _behind in awaited.OF_WORKFLOWS)
#: The condition of the index durable_workflow_waiting.
_IS_WAITING = Q(waiting_for__gt="")
_OWNED: tuple[Any, ...] = (Step, Message, Event, EventChange, StreamEntry)
#: What a bare row has lost: all that people or other systems may have written into it.
_BARE: dict[str, Any] = {
    "arguments": "",
    "output": None,
    "error": None,
    "reason": "",
    "attributes": {},
    "subject_type": None,
    "subject_id": None,
    "started_by": "",
    "trace_context": "",
    "partition_key": None,
    "deduplication_key": None,
    "replacements": "",
}


class _Place(NamedTuple):
    """Where a walk has come to: a workflow, and the moment of its end as the database writes it."""

    id: str
    moment: str


class Batch(NamedTuple):
    """What one transaction did: how many workflows are through with it, and whether none has to go on."""

    changed: int
    is_complete: bool


def sweep(rows: WorkflowQuerySet) -> Iterator[int]:
    """
    Prune what is past its retention, then delete bare rows past IDEMPOTENCY_DAYS.

    Each step of the iteration is one transaction and yields how many workflows it dealt with. Any number of processes
    may sweep at once, and each may be killed at any moment: the next sweep goes on.
    """
    yield from prune(due(rows))
    yield from delete(expired(rows))


def prune(parts: Iterable[WorkflowQuerySet]) -> Iterator[int]:
    """Take all but the bare row from what nothing needs of due() or ended_before(). See sweep()."""
    for part in parts:
        yield from _walk(part, _strip)


def delete(rows: WorkflowQuerySet) -> Iterator[int]:
    """Delete what is forgettable() of expired(). See sweep()."""
    yield from _walk(rows, _delete)


def due(rows: WorkflowQuerySet) -> Iterator[WorkflowQuerySet]:
    """Yield what is past its retention, in parts, each a range of an index."""
    for part, status, seconds in _parts(rows):
        kept_seconds = seconds if seconds is not None else _seconds_of(_days_of(status))
        if kept_seconds is not None:
            yield part.filter(finished_at__lte=Later(-kept_seconds))


def ended_before(rows: WorkflowQuerySet, moment: datetime | Later) -> Iterator[WorkflowQuerySet]:
    """Yield what ended before a moment, whatever its retention, but what is kept for ever; in parts, as due() does."""
    for part, _status, _seconds in _parts(rows):
        yield part.filter(finished_at__lte=moment)


def expired(rows: WorkflowQuerySet) -> WorkflowQuerySet:
    """Return the bare rows past IDEMPOTENCY_DAYS (index durable_workflow_bare)."""
    return rows.filter(_has_expired()).order_by("finished_at", "pk")


def forgettable(rows: WorkflowQuerySet) -> WorkflowQuerySet:
    """
    Leave of expired() what is free() and has no children that stay: then the ids may be used again.

    The ids of children derive from the parent's: a new one would take old children for its own. Those that have expired
    themselves do not count, or no link of a chain would go before the last one.
    """
    return free(rows).filter(~Exists(_all(rows).filter(~_has_expired(), parent_id=OuterRef("pk"))))


def free(rows: WorkflowQuerySet) -> WorkflowQuerySet:
    """
    Leave out what somebody holds or may still ask for.

    That is: what a worker has not let go; children of a parent, or of the original of a fork, that can still go on, and
    may ask for their results; what has live children, or forks that can go on; what a live workflow waits for, its end
    or an event of it. (One that waits was woken at the end; one that was paused asks when it is resumed.)
    """
    all_rows = _all(rows)
    goes_on = all_rows.filter(~Q(status=Status.SUCCEEDED), pruned_at__isnull=True)
    is_of_event = Q(waiting_for__gte=_text(_OF_EVENT, ":"), waiting_for__lt=_text(_OF_EVENT, ";"))
    needed = (
        goes_on.filter(pk=OuterRef("parent_id")),
        goes_on.filter(forked_from_id=OuterRef("pk")),
        goes_on.filter(forked_from_id=OuterRef("parent_id")),
        all_rows.filter(parent_id=OuterRef("pk"), finished_at__isnull=True),
        all_rows.filter(_IS_WAITING, waiting_for=_text(_OF_END, "")),
        # The bounds first: of two lower ones SQLite takes the first, and the condition of the index is one, too.
        all_rows.filter(is_of_event, _IS_WAITING),
    )
    return rows.filter(*(~Exists(each) for each in needed), worker__isnull=True)


def require_whole(rows: WorkflowQuerySet) -> None:
    """Raise WorkflowPruned if one of these was pruned: it can be neither continued nor forked."""
    pruned = rows.filter(pruned_at__isnull=False).values_list("pk", "status").first()
    if pruned is not None:
        raise WorkflowPruned(workflow_id=pruned[0], status=pruned[1])


def _parts(rows: WorkflowQuerySet) -> Iterator[tuple[WorkflowQuerySet, Status, int | None]]:
    """
    Yield what has ended and is more than a bare row, by status and own retention, but what is kept for ever.

    Each part is a range of the index durable_workflow_retention, in which the moments of the ends are in order.
    """
    whole = rows.filter(finished_at__isnull=False, is_bare=False)
    # The first two are the same in each part. Without them PostgreSQL does not see that the index has the order, since
    # "is NULL" is no equality to it, and would rather sort the whole table for each page.
    whole = whole.order_by("retention_seconds", "status", "finished_at", "pk")
    for status in Status.terminal():
        yield whole.filter(status=status, retention_seconds__isnull=True), status, None
    for seconds in _own_retentions(rows):
        for status in Status.terminal():
            yield whole.filter(status=status, retention_seconds=seconds), status, seconds


def _own_retentions(rows: WorkflowQuerySet) -> Iterator[int]:
    """Yield each retention that rows have of their own once, found by a probe of durable_workflow_retention."""
    whole = _all(rows).filter(finished_at__isnull=False, is_bare=False, retention_seconds__lt=FOR_EVER)
    found = whole.order_by("retention_seconds").values_list("retention_seconds", flat=True)
    seconds = found.first()
    while seconds is not None:
        yield seconds
        seconds = found.filter(retention_seconds__gt=seconds).first()


def _text(kind: str, behind_id: str) -> Concat:
    """Return the text of waiting for something of the workflow that is looked at."""
    return Concat(Value(kind), OuterRef("pk"), Value(behind_id))


def _has_expired() -> Q:
    """Return the condition of a bare row past IDEMPOTENCY_DAYS; of none, if they stay for ever."""
    seconds = _seconds_of(durable_settings.IDEMPOTENCY_DAYS)
    return Q(pk__in=()) if seconds is None else Q(is_bare=True, finished_at__lte=Later(-seconds))


def _days_of(status: Status) -> float | None:
    return durable_settings.FAILED_RETENTION_DAYS if status == Status.FAILED else durable_settings.RETENTION_DAYS


def _seconds_of(days: float | None) -> float | None:
    return None if days is None else float(days) * _DAY_SECONDS


def _walk(chosen: WorkflowQuerySet, change: Callable[[WorkflowQuerySet, list[str]], Batch]) -> Iterator[int]:
    """
    Change what is chosen, in its order, a bounded page after the other: those that ended first at first.

    Those that have to stay are stepped over, so that they are read once, however many there are.
    """
    last: _Place | None = None
    while page := _page(chosen, last):
        ids = [place.id for place in page]
        is_complete = False
        while not is_complete:
            changed, is_complete = change(chosen, ids)
            yield changed
        if len(page) < BATCH:
            return
        last = page[-1]


def _page(chosen: WorkflowQuerySet, last: _Place | None) -> list[_Place]:
    """Return those that come next, behind the last one of the page before."""
    if last is not None:
        # As text, as the database itself writes it: as Python sees it a moment may be naive, and then mean two
        # instants. And as a value, not a subquery: of that PostgreSQL cannot guess how little lies behind it.
        moment = Value(last.moment, output_field=CharField())
        behind = Q(finished_at__gt=moment) | Q(finished_at=moment, pk__gt=last.id)
        chosen = chosen.filter(behind, finished_at__gte=moment)
    rows = chosen.values_list("pk", Cast("finished_at", TextField()))
    return [_Place(*row) for row in rows[:BATCH]]


def _strip(chosen: WorkflowQuerySet, ids: list[str]) -> Batch:
    """Take what they own from those that are free: in one transaction or, of long histories, in several."""
    with short_transaction(chosen.db):
        locked = _lock(free(chosen.filter(pk__in=ids)), no_key=True)
        # Under the lock, which who makes a fork takes, too: one that names any of these is there, or has to wait.
        asked_for = _shared_further(chosen, locked) | replacements.needed(chosen, locked)
        return strip(chosen, [key for key in locked if key not in asked_for])


def _shared_further(rows: WorkflowQuerySet, keys: Collection[str]) -> set[str]:
    """
    Return those whose parent has a fork of a fork, and so on, that can go on, and may ask for their results.

    free() has looked at the first generation. One query for the parents, one for each generation of their forks, of
    which there mostly are none.
    """
    children = dict(_all(rows).filter(pk__in=keys, parent_id__isnull=False).values_list("pk", "parent_id"))
    # From a workflow to those of the parents that it is, or comes from.
    roots = {parent: {parent} for parent in children.values()}
    needed: set[str] = set()
    level = list(roots)
    while level:
        forks = [fork for first in range(0, len(level), ROWS) for fork in _forks(rows, level[first : first + ROWS])]
        level = []
        for fork, origin, goes_on in forks:
            known = roots.setdefault(fork, set())
            # Each is looked at again only for another root: rows of other hands may stand in a circle.
            if not roots[origin] <= known:
                known |= roots[origin]
                level.append(fork)
            if goes_on:
                needed |= roots[origin]
    return {child for child, parent in children.items() if parent in needed}


def _forks(rows: WorkflowQuerySet, origins: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield the forks of these with their origins, and whether they can go on (index durable_workflow_fork)."""
    forks = _all(rows).filter(forked_from_id__isnull=False, forked_from_id__in=origins)
    for fork, origin, status, pruned_at in forks.values_list("pk", "forked_from_id", "status", "pruned_at"):
        yield fork, str(origin), status != Status.SUCCEEDED and pruned_at is None


def strip(rows: WorkflowQuerySet, keys: Collection[str]) -> Batch:
    """
    Take a bounded number of what they own from workflows that have ended, and that the caller has locked.

    The first time already marks them as pruned, so that nobody resumes what has only a part of its steps.
    """
    locked = _all(rows).filter(pk__in=keys)
    is_complete = False not in {_delete_owned(model, rows.db, keys) for model in _OWNED}
    locked.filter(pruned_at__isnull=True).update(pruned_at=Now(), **_BARE)
    emptied = locked if is_complete else locked.filter(*(~Exists(_of(model, OuterRef("pk"))) for model in _OWNED))
    return Batch(emptied.filter(is_bare=False).update(is_bare=True), is_complete)


def _delete_owned(model: type[Model], alias: str, ids: Collection[str]) -> bool:
    """Delete a bounded number of what some workflows own; whether that was all."""
    if not ids:
        return True
    rows = model._default_manager.using(alias)
    some = rows.filter(workflow_id__in=ids).values("pk")[:ROWS]
    count, _models = rows.filter(AnyOf("pk", some)).delete()
    return count < ROWS


def _of(model: type[Model], workflow_id: Any) -> Any:
    return model._default_manager.filter(workflow_id=workflow_id)


def _delete(chosen: WorkflowQuerySet, ids: list[str]) -> Batch:
    with short_transaction(chosen.db):
        locked = _lock(forgettable(chosen.filter(pk__in=ids)), no_key=False)
        _all(chosen).filter(pk__in=locked).delete()
        return Batch(len(locked), is_complete=True)


def _lock(rows: WorkflowQuerySet, *, no_key: bool) -> list[str]:
    """Lock those that are still so until the transaction ends, without waiting for others who do. Return their ids."""
    locked = rows.order_by().select_for_update(skip_locked=True, no_key=no_key)
    return list(locked.values_list("pk", flat=True))


def _all(rows: WorkflowQuerySet) -> WorkflowQuerySet:
    return rows.model._default_manager.using(rows.db)
