"""Connections: more than the database takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name

from durable_django.checks.routing import alias_of_tables
from durable_django.checks.settings import check_settings
from durable_django.conf import durable_settings
from durable_django.worker import headroom
from durable_django.worker.options import WorkerOptions


@register(Tags.database)
def check_connections(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Report that one worker process, as the settings say, may open more connections than the server takes."""
    alias = alias_of_tables()
    if alias not in (databases or ()) or check_settings():
        return []
    return judge_connections(alias, WorkerOptions(threads=int(durable_settings.THREADS)))


def judge_connections(alias: str, options: WorkerOptions) -> list[CheckMessage]:
    """Report that a worker command of these options may open more connections than the server takes."""
    text = headroom.shortage(alias, options)
    hint = "Use fewer processes or threads, lower ASYNC_CONNECTIONS, or raise max_connections of the server."
    return [Warning(text, hint=hint, id="durable_django.W003")] if text else []
