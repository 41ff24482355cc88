"""The end of a task, told by the signal of django.tasks once it is committed."""

from __future__ import annotations

from typing import Any

from durable_django import signals
from durable_django.tasks import attempts, execution
from durable_django.tasks.names import IN_LOOP, IN_THREAD
from durable_django.tasks.sources import TaskResultStatus, task_finished


def connect() -> None:
    """Tell of the ends of tasks; connecting twice changes nothing."""
    signals.workflow_succeeded.connect(_on_success, dispatch_uid="durable_django.tasks")
    signals.workflow_failed.connect(_on_failure, dispatch_uid="durable_django.tasks")


def _on_success(*, name: str, **_facts: Any) -> None:
    ended = execution.current() if name in {IN_THREAD, IN_LOOP} else None
    if ended is not None:
        task_finished.send_robust(ended.sender, task_result=ended.result(TaskResultStatus.SUCCESSFUL))


def _on_failure(*, name: str, error: Exception, **_facts: Any) -> None:
    ended = execution.current() if name in {IN_THREAD, IN_LOOP} else None
    if ended is None:
        return
    last = attempts.ended_with(error)
    if not ended.ended or ended.ended[-1].error is None:
        # Not the task has failed, but its result could not be stored.
        ended.ended.append(last)
    try:
        _raise(error)
    except Exception:  # noqa: BLE001 - so that receivers find it in sys.exc_info(), as those of Django do
        task_finished.send_robust(ended.sender, task_result=ended.result(TaskResultStatus.FAILED))


def _raise(error: Exception) -> None:
    raise error
