"""Trees: who cancels a workflow cancels what it has started, and what that has started, and so on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q

from durable_django.models.status import Status

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet

Change = Callable[["WorkflowQuerySet"], Any]


def cancel(rows: WorkflowQuerySet, change: Change, spared: Collection[str]) -> int:
    """
    Apply a change that cancels to live workflows, then to all below them that live. Return how many lived.

    spared  ids that are left alone, to which the change may add

    A batch of parents always comes before their children. Whoever starts a child locks the row of its parent and looks
    whether that is cancelled; so what was started before is found here, and nothing is started afterwards.
    """
    all_rows = rows.model._default_manager.using(rows.db)
    # The latter, because whoever cancelled them may have died before it came to the children.
    chosen = Q(status__in=Status.live()) | Q(Exists(all_rows.filter(parent_id=OuterRef("pk"))), status=Status.CANCELLED)
    count = 0
    for batch in rows.batches(chosen, spared):
        count += rows.change_batch(batch, Status.live(), change)
        cancelled = all_rows.filter(pk__in=batch, status=Status.CANCELLED)
        count += _cancel_below(all_rows, list(cancelled.values_list("pk", flat=True)), change)
    return count


def _cancel_below(all_rows: WorkflowQuerySet, parents: list[str], change: Change) -> int:
    """Cancel what lives below some workflows; a child that has ended may have children that live."""
    count, todo, seen = 0, [parents], set(parents)
    while todo:
        children = all_rows.filter(parent_id__isnull=False, parent_id__in=todo.pop())
        for batch in children.batches(Q()):
            count += children.change_batch(batch, Status.live(), change)
            todo.append(unseen(batch, seen))
    return count


def unseen(ids: list[str], seen: set[str]) -> list[str]:
    """Return those that were not seen, and see them: rows of other hands may be each other's parents."""
    found = [each for each in ids if each not in seen]
    seen.update(found)
    return found
