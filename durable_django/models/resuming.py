"""Resuming: workflows that have ended or were paused go back to their queues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, Value, When

from durable_django.base.clock import Later, Now
from durable_django.models import duplicates, outcomes, trees
from durable_django.models.status import Status
from durable_django.models.step import Step

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet


#: Ids of one statement.
_BATCH = 500


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
        runnable_at=Now(),
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
        runnable_at=Now(),
        waiting_for="",
        deadline=Case(When(remaining_seconds__isnull=False, then=Later(F("remaining_seconds"))), default=F("deadline")),
        remaining_seconds=None,
    )


def resume_children(rows: WorkflowQuerySet) -> int:
    """
    Resume what failed or was cancelled below workflows that have stopped, the lowest first. Return how many.

    Not what failed so that a parent caught its error and has gone on: nobody waits for it any more.
    """
    stopped = Q(status__in=(Status.PAUSED, Status.FAILED, Status.CANCELLED))
    all_rows = rows.model._default_manager.using(rows.db)
    count = 0
    for parents in rows.batches(stopped):
        levels, level, seen = [], parents, set(parents)
        while level := trees.unseen([each for part in _parts(level) for each in _awaited(all_rows, part)], seen):
            levels.append(level)
        # Before their parents, which would find them as they were.
        for part in (part for level in reversed(levels) for part in _parts(level)):
            count += all_rows.filter(pk__in=part).resume()
    return count


def _parts(ids: list[str]) -> Iterator[list[str]]:
    return (ids[first : first + _BATCH] for first in range(0, len(ids), _BATCH))


def _awaited(all_rows: WorkflowQuerySet, parents: Collection[str]) -> list[str]:
    """Return the children that ended badly, but those whose error a parent has recorded and gone on from."""
    steps = Step.objects.using(all_rows.db)
    known = steps.filter(workflow_id__in=parents, kind="result", error__isnull=False)
    known = known.exclude(pk__in=steps.failures_at_the_end(list(parents)))
    caught = Counter(known.values_list("workflow_id", "error"))
    ended = all_rows.filter(parent_id__isnull=False, parent_id__in=parents, pruned_at__isnull=True)
    ended = ended.filter(status__in=(Status.FAILED, Status.CANCELLED)).order_by("line")
    found = []
    for workflow_id, parent_id, *outcome in ended.values_list("pk", "parent_id", "status", "error", "reason"):
        heard = (parent_id, outcomes.error_of(workflow_id, *outcome))
        # Of several with the very same error, those that were started first are taken for the ones that were caught.
        caught[heard] -= 1
        if caught[heard] < 0:
            found.append(workflow_id)
    return found
