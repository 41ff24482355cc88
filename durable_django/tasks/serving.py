"""What a process needs in order to run tasks: the two workflows, the queues of the backends, the signals."""

from __future__ import annotations

from django.utils.module_loading import import_string

from durable_django.tasks import running, telling
from durable_django.tasks.backend import DurableBackend
from durable_django.tasks.sources import task_backends

#: Importing the room is what registers its workflows.
WORKFLOWS = (running.run_task, running.run_async_task)


def begin() -> None:
    """Make tasks known to this process; asks no query."""
    telling.connect()
    for alias, params in task_backends.settings.items():
        if _is_ours(params):
            # Made here so that a worker knows its queues, whichever modules it imports.
            task_backends[alias]


def _is_ours(params: object) -> bool:
    path = params.get("BACKEND", "") if isinstance(params, dict) else ""
    try:
        kind = import_string(path)
    except Exception:  # noqa: BLE001 - the check of django.tasks reports it, not the start of the project
        return False
    return isinstance(kind, type) and issubclass(kind, DurableBackend)
