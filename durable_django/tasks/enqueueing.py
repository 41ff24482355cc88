"""Enqueueing: a task becomes a workflow that is started."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from django.db import transaction

from durable_django.api.durations import moment_of, seconds_of
from durable_django.base import registry
from durable_django.engine import children, context, starting
from durable_django.engine.starting import StartOptions
from durable_django.models.queue import Queue
from durable_django.tasks import results
from durable_django.tasks.names import IN_LOOP, IN_THREAD
from durable_django.tasks.sources import (
    DEFAULT_TASK_BACKEND_ALIAS,
    AnyResult,
    AnyTask,
    InvalidTask,
    task_enqueued,
)
from durable_django.tasks.values import as_json

#: Queues beyond those that a backend lists, for which this process knows that there is a row, by database.
_known_queues: set[tuple[str, str]] = set()


def enqueue(backend: Any, task: AnyTask, args: Any, kwargs: Any) -> AnyResult:
    """Start a workflow that runs the task, and tell so. See DurableBackend.enqueue()."""
    registered = registry.workflows.get(IN_LOOP if iscoroutinefunction(task.func) else IN_THREAD)
    call = (task.module_path, as_json(args), as_json(kwargs))
    options = _options(task)
    if not backend.queues:
        _make_queue(task.queue_name)
    if context.current_run() is None:
        started = starting.start(registered, call, _facts(task), options)
        result = results.enqueued(task, started.id, started.created_at, args=call[1], kwargs=call[2])
        is_new = True
    else:
        result, is_new = _enqueue_child(registered, call, task, options)
    if is_new:
        task_enqueued.send_robust(type(backend), task_result=result)
    return result


def _enqueue_child(
    registered: Any, call: tuple[Any, ...], task: AnyTask, options: StartOptions
) -> tuple[AnyResult, bool]:
    """Start a child of the running workflow; whether it is not only found again by a replay."""
    run = context.current_run()
    before = set(run.live) if run is not None else set()
    child_id = children.start(registered, call, _facts(task), options, shaped=_as_uuid)
    return results.read(child_id), run is not None and child_id in run.live - before


def _as_uuid(child_id: str) -> str:
    """Return an id like every other one of tasks, and no longer: those of children grow with each generation."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, child_id))


def _facts(task: AnyTask) -> dict[str, Any]:
    """Return what the row must keep of the task beyond its columns."""
    facts: dict[str, Any] = {}
    if task.backend != DEFAULT_TASK_BACKEND_ALIAS:
        facts["backend"] = task.backend
    if isinstance(task.run_after, datetime):
        facts["run_after"] = task.run_after
    return facts


def _options(task: AnyTask) -> StartOptions:
    try:
        return StartOptions(queue=task.queue_name, priority=int(task.priority), **_due(task.run_after))
    except ValueError as error:
        raise InvalidTask(str(error)) from error


def _due(run_after: datetime | timedelta | None) -> dict[str, Any]:
    if run_after is None:
        return {}
    if isinstance(run_after, timedelta):
        return {"delay_seconds": seconds_of(max(run_after, timedelta()), "run_after")}
    return {"run_after": moment_of(run_after, "run_after")}


def _make_queue(name: str) -> None:
    """See to it that workers find a queue that no list of a backend has: they read the names of queues from rows."""
    alias = context.alias_of_workflows()
    if (alias, name) not in _known_queues:
        Queue.objects.using(alias).ensure(name)
        # Not before: after a rollback there is no row.
        transaction.on_commit(partial(_known_queues.add, (alias, name)), using=alias)
