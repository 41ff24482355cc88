"""
The backend for django.tasks: every `@task` becomes a workflow with one step for each of its attempts.

    TASKS = {"default": {"BACKEND": "durable_django.tasks.DurableBackend"}}

Names are resolved on first use: other libraries look into every app for a module of this name, also in projects that
have neither Django 6 nor the package django-tasks.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_django.tasks.backend import DurableBackend
    from durable_django.tasks.commits import enqueue_on_commit
    from durable_django.tasks.definitions import DurableTask
    from durable_django.tasks.options import task_options

_ROOMS = {
    "DurableBackend": "backend",
    "DurableTask": "definitions",
    "enqueue_on_commit": "commits",
    "task_options": "options",
}

__all__ = ["DurableBackend", "DurableTask", "enqueue_on_commit", "task_options"]


def is_available() -> bool:
    """Whether there are tasks here: Django's own, from 6.0 on, or those of the package django-tasks."""
    return find_spec("django.tasks") is not None or find_spec("django_tasks") is not None


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "is_available"])
