"""
Recovery: workflows of lost workers go back to their queues, and those that seem to kill their workers end.

The first recovery is immediate, later ones without progress in between wait 1, 2, 4 ... 60 seconds. From the third on
the workflow is suspected and runs alone; after max_recoveries it ends FAILED with RecoveriesExhausted.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef

from durable_django.base import payloads
from durable_django.base.clock import Later, Now
from durable_django.exceptions import RecoveriesExhausted
from durable_django.models import unreadable
from durable_django.models.status import Status
from durable_django.models.step import Step

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: From so many lost leases in a row on, a workflow is suspected of killing its worker and runs alone.
SUSPECT_RECOVERIES = 3
LONGEST_DELAY_SECONDS = 60.0


class Recovery(NamedTuple):
    """What one sweep did: put back, ended as exhausted, and set free after their attempt never let go."""

    recovered: int
    exhausted: tuple[Workflow, ...]
    freed: int

    @property
    def total(self) -> int:
        """How many rows were dealt with."""
        return self.recovered + len(self.exhausted) + self.freed


def recovery_delay(recoveries: int) -> float:
    """Return the seconds to wait before recovery number `recoveries` (from 1) in a row."""
    return 0.0 if recoveries <= 1 else float(min(2 ** (min(recoveries, 32) - 2), LONGEST_DELAY_SECONDS))


def recover(orphaned: WorkflowQuerySet, limit: int, *, is_immediate: bool = False) -> Recovery:
    """
    Recover a bounded batch of orphaned workflows, in one transaction; then end those that are exhausted.

    The rows are locked first, skipping those that another janitor has, so that the sweep is idempotent and any
    number of janitors may run it. Nothing here needs the workflows' code. Each end is a transaction of its own, since
    it locks who waits for it in order of id, and must hold no other row then; the fence lets one janitor end it.

    is_immediate  put back without the delay that later recoveries have otherwise
    """
    progress = Step.objects.filter(workflow_id=OuterRef("pk"), attempt=OuterRef("attempt"), finished_at__isnull=False)
    with transaction.atomic(using=orphaned.db):
        locked = orphaned.annotate(has_progress=Exists(progress)).select_for_update(skip_locked=True, no_key=True)
        found = unreadable.read_others(locked, limit)
        running = [workflow for workflow in found if workflow.status == Status.RUNNING]
        exhausted = [workflow for workflow in running if _recoveries(workflow) > workflow.max_recoveries]
        _put_back(orphaned, [workflow for workflow in running if workflow not in exhausted], is_immediate=is_immediate)
        freed = [workflow.pk for workflow in found if workflow.status != Status.RUNNING]
        _rows(orphaned, freed).update(worker=None)
    return Recovery(len(running) - len(exhausted), tuple(filter(_end, exhausted)), len(freed))


def _recoveries(workflow: Any) -> int:
    """Return the count that this recovery makes: a new checkpoint since the last one starts it anew."""
    return 1 if workflow.has_progress else workflow.recoveries + 1


def _put_back(orphaned: WorkflowQuerySet, workflows: list[Workflow], *, is_immediate: bool) -> None:
    by_count: dict[int, list[str]] = defaultdict(list)
    for workflow in workflows:
        by_count[_recoveries(workflow)].append(workflow.pk)
    for count, ids in by_count.items():
        delay = 0.0 if is_immediate else recovery_delay(count)
        run_after = Later(delay) if delay else None
        _rows(orphaned, ids).update(
            status=Status.QUEUED, worker=None, recoveries=count, run_after=run_after, runnable_at=Now()
        )


def _end(workflow: Workflow) -> bool:
    count = _recoveries(workflow)
    error = RecoveriesExhausted(workflow_id=workflow.pk, recoveries=count)
    workflow.recoveries, workflow.error = count, payloads.encode_error(error)
    return workflow.exhaust(workflow.error)


def _rows(orphaned: WorkflowQuerySet, ids: list[str]) -> WorkflowQuerySet:
    return orphaned.model._default_manager.using(orphaned.db).filter(pk__in=ids)
