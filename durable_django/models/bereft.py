"""Those who wait for a workflow that is gone: what deletes its row behind the models' back wakes nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from durable_django.base.clock import Later
from durable_django.models import awaited

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: Rows, or texts, of one statement.
_BATCH = 500
#: Those whose row does not tell which workflow they wait for look for themselves so long after they last did (seconds).
_UNSURE_SECONDS = 3600.0


def wake(rows: WorkflowQuerySet) -> int:
    """
    Wake those who wait for the end, or an event, of a workflow that does not exist. Return how many.

    Of others their rows do not tell what they wait for: they look for themselves, an hour after they last did.
    """
    unsure: list[str] = [awaited.FOR_SEVERAL]
    count = 0
    for first, behind in awaited.OF_WORKFLOWS:
        for texts in _texts(rows, first, behind):
            unsure += [text for text in texts if awaited.workflow_of(text) is None]
            count += _wake(rows, rows.awaiting(*_of_nobody(rows, texts)))
    for texts in (unsure[at : at + _BATCH] for at in range(0, len(unsure), _BATCH)):
        count += _wake(rows, rows.awaiting(*texts).filter(claimed_at__lt=Later(-_UNSURE_SECONDS)))
    return count


def _texts(rows: WorkflowQuerySet, first: str, behind: str) -> Iterator[list[str]]:
    """Yield what is waited for, each text once, batch by batch (index durable_workflow_waiting)."""
    # Without the condition of the index SQLite would read the whole table. It comes last: of two lower bounds SQLite
    # takes the first, and would read each batch from the beginning.
    bound = Q(waiting_for__gte=first)
    while batch := list(_texts_from(rows, bound).filter(waiting_for__lt=behind).filter(waiting_for__gt="")[:_BATCH]):
        yield batch
        bound = Q(waiting_for__gt=batch[-1])


def _texts_from(rows: WorkflowQuerySet, bound: Q) -> Any:
    return rows.waiting().filter(bound).order_by("waiting_for").values_list("waiting_for", flat=True).distinct()


def _of_nobody(rows: WorkflowQuerySet, texts: Sequence[str]) -> list[str]:
    workflows = {text: workflow_id for text in texts if (workflow_id := awaited.workflow_of(text)) is not None}
    known = set(rows.filter(pk__in=set(workflows.values())).values_list("pk", flat=True))
    return [text for text, workflow_id in workflows.items() if workflow_id not in known]


def _wake(rows: WorkflowQuerySet, chosen: WorkflowQuerySet) -> int:
    """Wake a bounded number of them."""
    with transaction.atomic(using=rows.db):
        ids = list(chosen.values_list("pk", flat=True)[:_BATCH])
        return rows.filter(pk__in=ids).wake() if ids else 0
