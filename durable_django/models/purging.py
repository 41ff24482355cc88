"""Purging: what has ended is removed with all that it owns, or all but its bare row, in bounded transactions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.db.models import Model, ProtectedError, Q

from durable_django.models import retention, trees, witnesses
from durable_django.models.turns import short_transaction

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: Has ended, and its last attempt has let go: until then it may still record the step that it was in.
_OVER = Q(finished_at__isnull=False, worker__isnull=True)
#: Rows of one statement.
_BATCH = 500


def purge(rows: WorkflowQuerySet, *, children: bool, payloads_only: bool) -> int:
    """
    Purge those that are over, with what they have started, if asked. Return how many workflows that were.

    Of one whose children stay the bare row stays, too: their ids derive from its own, so that another run under it
    would take them for its own.
    """
    count = 0
    kept: list[str] = []
    for batch in rows.batches(_OVER):
        # The lowest first: whoever is interrupted finds the rest by its parents, the next time.
        levels = [batch, *(_below(rows, batch) if children else ())]
        for part in reversed(levels):
            count += _purge(rows, part, kept, payloads_only=payloads_only)
    _delete_kept(rows, kept)
    return count


def _delete_kept(rows: WorkflowQuerySet, kept: list[str]) -> None:
    """Delete those whose children were purged after them, as often as that lets others go."""
    is_done = False
    while kept and not is_done:
        left: list[str] = []
        for first in range(0, len(kept), _BATCH):
            _delete(rows, kept[first : first + _BATCH], left)
        is_done = len(left) == len(kept)
        kept = left


def _below(rows: WorkflowQuerySet, parents: list[str]) -> Iterator[list[str]]:
    """Yield the ids of what is over below some workflows; what lives keeps what it has started."""
    todo, seen = [parents], set(parents)
    while todo:
        children = _all(rows).filter(parent_id__isnull=False, parent_id__in=todo.pop())
        for batch in children.batches(_OVER):
            if below := trees.unseen(batch, seen):
                yield below
                todo.append(below)


def _purge(rows: WorkflowQuerySet, ids: list[str], kept: list[str], *, payloads_only: bool) -> int:
    """Take what they own first, in several transactions if that is much; then nobody can resume them any more."""
    count, is_complete = 0, False
    bare = set(_all(rows).filter(_OVER, pk__in=ids, is_bare=True).values_list("pk", flat=True))
    while not is_complete:
        with short_transaction(rows.db):
            locked = _lock(rows, ids)
            with witnesses.seen(_all(rows).filter(pk__in=locked)):
                emptied, is_complete = retention.strip(rows, locked)
            count += emptied
    return count if payloads_only else count + len(bare & _delete(rows, ids, kept))


def _delete(rows: WorkflowQuerySet, ids: list[str], kept: list[str]) -> set[str]:
    """Delete those that have no children but among these. Return which; add the others to those that are kept."""
    with short_transaction(rows.db):
        keys = _lock(rows, ids)
        staying = _all(rows).filter(parent_id__isnull=False, parent_id__in=keys).exclude(pk__in=keys)
        needed = set(staying.values_list("parent_id", flat=True))
        gone = [key for key in keys if key not in needed]
        with witnesses.seen(_all(rows).filter(pk__in=gone)):
            _all(rows).filter(pk__in=gone).delete()
    kept.extend(sorted(needed))
    return set(gone)


def _lock(rows: WorkflowQuerySet, ids: list[str]) -> list[str]:
    """Lock those that are over until the transaction ends; one that is resumed meanwhile is left out."""
    over = _all(rows).filter(_OVER, pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return list(over.values_list("pk", flat=True))


def refuse_live(rows: WorkflowQuerySet) -> None:
    """
    Lock some workflows until the transaction ends. Raises ProtectedError if one of them is not over.

    Nobody waits for what is over: so nobody is to be woken if it goes.
    """
    ids = sorted(rows.order_by().values_list("pk", flat=True))
    for first in range(0, len(ids), _BATCH):
        chosen = ids[first : first + _BATCH]
        _all(rows).lock_in_order(chosen)
        live = _all(rows).filter(pk__in=chosen).exclude(_OVER).only("pk", "status")
        protected: set[Model] = set(live[:10])
        if protected:
            one: Any = min(protected, key=lambda workflow: workflow.pk)
            message = (
                f"Workflow {one.pk!r} cannot be deleted: it is {one.status}, or its last attempt has not let go. "
                "Cancel it and wait a moment, or purge() what has ended: that leaves out what has not."
            )
            raise ProtectedError(message, protected)


def _all(rows: WorkflowQuerySet) -> WorkflowQuerySet:
    return rows.model._default_manager.using(rows.db)
