"""From the rows of a workflow to a TaskResult, whatever has become of the task's code meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async

from durable_django.base import payloads
from durable_django.engine import context
from durable_django.exceptions import PayloadError, RecoveriesExhausted, TaskFunctionMissing, WorkflowCancelled
from durable_django.models.status import Status
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow
from durable_django.tasks.attempts import Ended, ended_by, error_from, value_in
from durable_django.tasks.definitions import as_stored, missing
from durable_django.tasks.finding import find_task
from durable_django.tasks.names import IN_LOOP, IN_THREAD
from durable_django.tasks.sources import (
    DEFAULT_TASK_BACKEND_ALIAS,
    AnyResult,
    AnyTask,
    TaskError,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
)

_STATUSES = {
    Status.QUEUED: TaskResultStatus.READY,
    Status.WAITING: TaskResultStatus.READY,
    Status.PAUSED: TaskResultStatus.READY,
    Status.RUNNING: TaskResultStatus.RUNNING,
    Status.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    Status.FAILED: TaskResultStatus.FAILED,
    Status.CANCELLED: TaskResultStatus.FAILED,
}
_LOST = f"{RecoveriesExhausted.__module__}.{RecoveriesExhausted.__qualname__}"
_COLUMNS = (
    "id", "name", "status", "queue", "priority", "arguments", "output", "error", "reason", "worker", "attempt",
    "created_at", "started_at", "claimed_at", "finished_at",
)  # fmt: skip


@dataclass(frozen=True)
class StoredCall:
    """What the arguments of a row say: which task, with what."""

    path: str = "unknown.unknown"
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def read(result_id: str) -> AnyResult:
    """Return the result of a task: two queries, or one before its first attempt. See DurableBackend.get_result()."""
    row = _row(result_id)
    if row is None:
        raise TaskResultDoesNotExist(result_id)
    attempts = _attempts(row) if row.attempt else []
    call = _call_of(row)
    began_at = attempts[-1].began_at if attempts else None
    result: AnyResult = TaskResult(
        task=task_of(call, row),
        id=row.pk,
        status=_STATUSES[Status(row.status)],
        enqueued_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        last_attempted_at=row.claimed_at if row.status == Status.RUNNING or began_at is None else began_at,
        args=call.args,
        kwargs=call.kwargs,
        backend=call.facts.get("backend", DEFAULT_TASK_BACKEND_ALIAS),
        errors=[*(ended.error for ended in attempts if ended.error is not None), *_further_errors(row, attempts)],
        worker_ids=[*(ended.worker for ended in attempts), *_current_worker(row)],
    )
    if row.status == Status.SUCCEEDED:
        object.__setattr__(result, "_return_value", value_in(row.output))
    return result


def aread(result_id: str) -> Coroutine[Any, Any, AnyResult]:
    """See read()."""
    return sync_to_async(partial(read, result_id))()


def enqueued(task: AnyTask, result_id: str, enqueued_at: datetime | None, *, args: Any, kwargs: Any) -> AnyResult:
    """Return the result of a task that was enqueued a moment ago."""
    return TaskResult(
        task=task,
        id=result_id,
        status=TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=args,
        kwargs=kwargs,
        backend=task.backend,
        errors=[],
        worker_ids=[],
    )


def task_of(call: StoredCall, row: Workflow) -> AnyTask:
    """Return the task as it was enqueued; one that cannot be called if its code is not here."""
    fields = {
        "priority": row.priority,
        "queue_name": row.queue,
        "backend": call.facts.get("backend", DEFAULT_TASK_BACKEND_ALIAS),
        "run_after": call.facts.get("run_after"),
    }
    try:
        return as_stored(find_task(call.path), **fields)
    except TaskFunctionMissing as error:
        return missing(call.path, error.reason, **fields)


def _row(result_id: Any) -> Workflow | None:
    try:
        uuid.UUID(result_id)
    except (AttributeError, TypeError, ValueError):
        # The ids of all tasks are UUIDs. What is not one need not be looked for, and some could not.
        return None
    rows = Workflow.objects.using(context.alias_of_workflows())
    # Of one that was pruned nothing is left that could be told, not even which task it was.
    whole = rows.filter(pk=result_id, name__in=(IN_THREAD, IN_LOOP), pruned_at__isnull=True)
    return whole.only(*_COLUMNS).first()


def _call_of(row: Workflow) -> StoredCall:
    """Return what was enqueued; of arguments that nobody can read, nothing."""
    try:
        args, kwargs = payloads.decode_call(row.arguments)
        path, task_args, task_kwargs = (*args, *(kwargs[name] for name in ("task", "args", "kwargs")[len(args) :]))
        return StoredCall(str(path), list(task_args), dict(task_kwargs), kwargs)
    except (PayloadError, LookupError, TypeError, ValueError):
        return StoredCall()


def _attempts(row: Workflow) -> list[Ended]:
    """Return the attempts that have ended, in order (index durable_step_key)."""
    steps = Step.objects.using(row._state.db).filter(workflow=row.pk, branch="", kind="step", finished_at__isnull=False)
    found = [ended_by(*each) for each in steps.order_by("position").values_list("output", "error", "started_at")]
    return found or _recorded_by_its_end(row)


def _recorded_by_its_end(row: Workflow) -> list[Ended]:
    """Return the one attempt of a task of which nothing was recorded but the end."""
    if row.status not in {Status.SUCCEEDED, Status.FAILED}:
        return []
    ended = ended_by(row.output, row.error, row.claimed_at)
    # Who has lost every worker has ended no attempt.
    is_lost = ended.error is not None and ended.error.exception_class_path == _LOST
    return [] if is_lost else [ended]


def _current_worker(row: Workflow) -> list[str]:
    return [row.worker] if row.status == Status.RUNNING and row.worker else []


def _further_errors(row: Workflow, attempts: Sequence[Ended]) -> list[TaskError]:
    """Return why the workflow ended, if that is more than what its last attempt says."""
    if row.status == Status.CANCELLED:
        return [error_from(payloads.encode_error(WorkflowCancelled(workflow_id=row.pk, reason=row.reason)))]
    if row.status != Status.FAILED or not row.error:
        return []
    last = attempts[-1].error if attempts else None
    error = error_from(row.error)
    return [] if last is not None and last.exception_class_path == error.exception_class_path else [error]
