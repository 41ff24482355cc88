"""Connections: more than the database, or the project's pool, has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name

from durable_django.checks.routing import connection_of_tables
from durable_django.checks.settings import is_sound
from durable_django.conf import durable_settings
from durable_django.worker import headroom
from durable_django.worker.options import WorkerOptions


@register()
def check_pool(**_kwargs: Any) -> list[CheckMessage]:
    """Report that Django's pool holds less than one worker process, as the settings say, uses at a time."""
    connection = connection_of_tables()
    return [] if connection is None or not _has_sound_numbers() else _judge_pool(connection.alias, _by_settings())


@register(Tags.database)
def check_connections(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Report that one worker process, as the settings say, may open more connections than the server takes."""
    connection = connection_of_tables()
    if connection is None or connection.alias not in (databases or ()) or not _has_sound_numbers():
        return []
    return _judge_server(connection.alias, _by_settings())


def judge_connections(alias: str, options: WorkerOptions) -> list[CheckMessage]:
    """Report that a worker command of these options may use more connections than the server or the pool has."""
    return [*_judge_server(alias, options), *_judge_pool(alias, options)]


def _has_sound_numbers() -> bool:
    return is_sound("THREADS") and is_sound("ASYNC_CONNECTIONS")


def _by_settings() -> WorkerOptions:
    return WorkerOptions(threads=int(durable_settings.THREADS))


def _judge_server(alias: str, options: WorkerOptions) -> list[CheckMessage]:
    text = headroom.shortage(alias, options)
    hint = "Use fewer processes or threads, lower ASYNC_CONNECTIONS, or raise max_connections of the server."
    return [Warning(text, hint=hint, id="durable_django.W003")] if text else []


def _judge_pool(alias: str, options: WorkerOptions) -> list[CheckMessage]:
    text = headroom.shortage_of_pool(alias, options.threads)
    hint = "Set 'pool': {'max_size': ...} in OPTIONS to as many, use fewer threads, or lower ASYNC_CONNECTIONS."
    return [Warning(text, hint=hint, id="durable_django.W007")] if text else []
