"""Resuming: workflows that have ended or were paused go back to their queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Value, When

from durable_django.base.clock import Later
from durable_django.models import duplicates
from durable_django.models.status import Status
from durable_django.models.step import Step

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet


def reopen(rows: WorkflowQuerySet) -> int:
    """Put ended workflows back in their queue. Raises DuplicateWorkflow if another live one holds a key of theirs."""
    rows = rows.filter(pruned_at__isnull=True)
    ids = list(rows.values_list("pk", flat=True))
    duplicates.require_free_keys(rows)
    try:
        with transaction.atomic(using=rows.db):
            return _put_back(rows, ids)
    except IntegrityError:
        duplicates.require_free_keys(rows)
        raise


def _put_back(rows: WorkflowQuerySet, ids: list[str]) -> int:
    Step.objects.using(rows.db).forget_failures(ids)
    return rows.update(
        status=Status.QUEUED,
        reason="",
        error=None,
        finished_at=None,
        recoveries=0,
        failures=0,
        run_after=None,
        waiting_for="",
        deadline=None,
        remaining_seconds=None,
    )


def go_on(rows: WorkflowQuerySet) -> int:
    """Put paused workflows back in their queue; one that was not due yet stays so."""
    began_to_wait = When(waiting_for="", then=F("run_after"))
    return rows.update(
        status=Status.QUEUED,
        reason="",
        recoveries=0,
        run_after=Case(began_to_wait, default=Value(None)),
        waiting_for="",
        deadline=Case(When(remaining_seconds__isnull=False, then=Later(F("remaining_seconds"))), default=F("deadline")),
        remaining_seconds=None,
    )
