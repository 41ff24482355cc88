"""
The backend itself, as django.tasks calls it.

`@task` makes a backend while apps are still loading, so nothing here needs a model, and no option raises: what is wrong
with the settings is reported by check().
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage

from durable_django.api.declaring import is_name
from durable_django.base import registry
from durable_django.tasks import checking
from durable_django.tasks.definitions import DurableTask
from durable_django.tasks.options import fault_in, given_to
from durable_django.tasks.sources import AnyResult, AnyTask, BaseTaskBackend, InvalidTask


class DurableBackend(BaseTaskBackend):
    """
    Run tasks as workflows: kept in the project's database, finished by another worker if one dies.

    QUEUES   the queues of its tasks; an empty list allows any name
    OPTIONS  max_attempts, backoff, retry_on, timeout, atomic: for tasks that do not say themselves; see task_options()
    """

    task_class = DurableTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.params = params
        for name in filter(is_name, self.queues):
            registry.queues.mention(name)

    def validate_task(self, task: AnyTask) -> None:
        """
        Raise InvalidTask if the task cannot be run here.

        Besides a datetime, `run_after` may be a timedelta from the enqueueing on.
        """
        run_after: Any = task.run_after
        if isinstance(run_after, timedelta):
            # Django would ask it for its time zone.
            self.validate_task(replace(task, run_after=None))
            return
        super().validate_task(task)
        if not is_name(task.queue_name):
            message = f"A queue's name must have 1 to 255 printable characters, got {task.queue_name!r}."
            raise InvalidTask(message)
        if fault := fault_in(given_to(task)):
            message = f"Task {task.module_path}: {fault}"
            raise InvalidTask(message)
        registry.queues.mention(task.queue_name)

    def enqueue(self, task: AnyTask, args: Any, kwargs: Any) -> AnyResult:  # type: ignore[override]
        """
        Insert the task as a workflow: one INSERT on the caller's connection, in the caller's transaction.

        It is visible, and run, only after commit, and gone after a rollback. Inside a workflow, or another task, it is
        a child, enqueued once however often that code runs again after a crash. Raises InvalidTask; TypeError or
        ValueError for arguments that are not JSON; PayloadTooLarge. Nothing is written on error.
        """
        from durable_django.tasks import enqueueing

        self.validate_task(task)
        return enqueueing.enqueue(self, task, args, kwargs)

    def aenqueue(  # type: ignore[override]
        self, task: AnyTask, args: Any, kwargs: Any
    ) -> Coroutine[Any, Any, AnyResult]:
        """See enqueue()."""
        from durable_django.api.twins import twin

        # Not in the thread: what is wrong with the task is known at once.
        self.validate_task(task)
        return twin("aenqueue()", partial(self.enqueue, task, args, kwargs))

    def get_result(self, result_id: str) -> AnyResult:
        """
        Return what the rows say of a task, whatever has become of its code, its queue or its backend.

        Raises TaskResultDoesNotExist for an id that is not that of a task.
        """
        from durable_django.tasks import results

        return results.read(result_id)

    def aget_result(self, result_id: str) -> Coroutine[Any, Any, AnyResult]:
        """See get_result()."""
        from durable_django.tasks import results

        return results.aread(result_id)

    def check(self, **_kwargs: Any) -> list[CheckMessage]:
        """Report what is wrong with the settings of this backend."""
        return list(checking.messages(self.alias, self.params, is_installed=apps.is_installed("durable_django")))
