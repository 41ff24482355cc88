"""Resuming many: one whose deduplication key another one holds by now holds nobody back but itself."""

from __future__ import annotations

from durable_django.exceptions import DuplicateWorkflow
from durable_django.models.workflow_queryset import WorkflowQuerySet


def resume(rows: WorkflowQuerySet, *, children: bool) -> tuple[int, dict[str, DuplicateWorkflow]]:
    """
    Resume workflows together; where one of them is refused, each by itself. Return how many, and what refuses others.

    children  first what they have started and that failed or was cancelled
    """
    try:
        return rows.resume(children=children), {}
    except DuplicateWorkflow:
        # A batch is one transaction: none of it was resumed.
        return _one_by_one(rows, children=children)


def _one_by_one(rows: WorkflowQuerySet, *, children: bool) -> tuple[int, dict[str, DuplicateWorkflow]]:
    all_rows = rows.model._default_manager.using(rows.db)
    count, refused = 0, {}
    for key in list(rows.order_by("line").values_list("pk", flat=True)):
        try:
            count += all_rows.filter(pk=key).resume(children=children)
        except DuplicateWorkflow as error:
            refused[str(key)] = error
    return count, refused
