"""The names of the workflows that run tasks: in a thread, and in an event loop."""

from __future__ import annotations

IN_THREAD, IN_LOOP = "durable_django.task", "durable_django.async_task"
