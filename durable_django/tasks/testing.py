"""
Backends for the tests of a project: Django's own, which take the options of this package's tasks.

    TASKS = {"default": {"BACKEND": "durable_django.tasks.testing.ImmediateBackend"}}

With Django's own classes `@task(max_attempts=5)` would be a TypeError at import.
"""

from __future__ import annotations

from durable_django.tasks import sources
from durable_django.tasks.definitions import DurableTask


class ImmediateBackend(sources.ImmediateBackend):
    """Run a task when it is enqueued, once."""

    task_class = DurableTask


class DummyBackend(sources.DummyBackend):
    """Run nothing; keep what was enqueued in `results`."""

    task_class = DurableTask
