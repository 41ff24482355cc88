"""Tasks as this backend makes them, and tasks of rows whose code, queue or backend is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from durable_django.exceptions import TaskFunctionMissing
from durable_django.tasks.sources import AnyTask


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableTask(AnyTask):
    """
    What `@task` makes with this backend: it takes a few options more, see task_options() for what they mean.

    `@task(max_attempts=5, timeout=60)` needs Django 6.1 or django-tasks; in 6.0 write task_options() below `@task`.
    """

    max_attempts: int | None = None
    backoff: float | timedelta | Callable[[BaseException, Any], Any] | None = None
    retry_on: tuple[type[Exception], ...] | None = None
    timeout: float | timedelta | None = None
    atomic: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask(AnyTask):
    """The task of a row, as the row says: neither queue nor backend need exist any more. It cannot be called."""

    def __post_init__(self) -> None:
        """Validate nothing."""


def as_stored(task: AnyTask, **fields: Any) -> AnyTask:
    """Return the task with what the row says of it; not validated, if today's settings do not allow that."""
    changes = {name: value for name, value in fields.items() if getattr(task, name) != value}
    try:
        return replace(task, **changes) if changes else task
    except Exception:  # noqa: BLE001 - the backend that validates may be anybody's, and may be gone
        return StoredTask(func=task.func, takes_context=task.takes_context, **fields)


def missing(path: str, reason: str, **fields: Any) -> AnyTask:
    """Return a task in the place of one that this code does not have; calling it raises TaskFunctionMissing."""

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise TaskFunctionMissing(path=path, reason=reason)

    module, _, name = path.rpartition(".")
    refuse.__module__, refuse.__name__, refuse.__qualname__ = module or "unknown", name, name
    return StoredTask(func=refuse, **fields)
