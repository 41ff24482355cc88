"""Editing: attributes, turn and moment of workflows that are there already."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Case, F, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce

from durable_django.base.clock import Now
from durable_django.base.given import validate_attributes
from durable_django.models import awaited
from durable_django.models.status import Status
from durable_django.models.step import Step

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet


def set_attributes(rows: WorkflowQuerySet, changes: Mapping[str, Any]) -> int:
    """Give workflows other attributes; those that are not named stay. Return how many."""
    count = 0
    all_rows = rows.model._default_manager.using(rows.db)
    # What was pruned keeps nothing that people have written into it.
    for batch in rows.batches(Q(pruned_at__isnull=True)):
        with transaction.atomic(using=rows.db):
            rows.lock_in_order(batch)
            found = list(all_rows.filter(pk__in=batch, pruned_at__isnull=True).only("attributes"))
            for workflow in found:
                # Other hands may have written there what is no object, and cannot be added to.
                known = workflow.attributes if isinstance(workflow.attributes, dict) else {}
                workflow.attributes = validate_attributes({**known, **changes})
            all_rows.bulk_update(found, ["attributes"])
        count += len(found)
    return count


def reschedule(rows: WorkflowQuerySet, moment: datetime | None) -> int:
    """
    Let workflows that wait for nothing but time go on at another moment; None: now. Return how many.

    Call it with rows that are locked. That moment is the one that their unfinished steps hold, too.
    """
    queued = rows.filter(status=Status.QUEUED)
    # Who was put off stands in line from now on, not since its start.
    since = F("runnable_at") if moment else Case(When(run_after__isnull=False, then=Now()), default=F("runnable_at"))
    count = queued.update(run_after=moment, runnable_at=since, waiting_for="")
    waiting = rows.filter(status=Status.WAITING, waiting_for__in=(awaited.FOR_TIME, awaited.FOR_RETRY))
    ids = list(waiting.values_list("pk", flat=True))
    then = Now() if moment is None else moment
    steps = Step.objects.using(rows.db).filter(workflow_id__in=ids, finished_at__isnull=True)
    # Of several that wait for time, the one that the workflow would have gone on with.
    steps.filter(next_retry_at__lte=F("workflow__run_after")).postpone(then)
    earliest = Step.objects.using(rows.db).next_moments(OuterRef("pk"))
    return count + rows.filter(pk__in=ids).update(run_after=Coalesce(Subquery(earliest), then))
