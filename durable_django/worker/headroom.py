"""Headroom: how many connections a worker command may open, held against what the server takes."""

from __future__ import annotations

from typing import Any

from django.db import connections

from durable_django.base import registry
from durable_django.conf import durable_settings
from durable_django.worker.options import WorkerOptions

#: Those of the loop and of the heartbeat.
_OWN = 2


def shortage(alias: str, options: WorkerOptions) -> str:
    """
    Return a sentence if the processes of one command may open more connections than PostgreSQL takes, "" if not.

    What other commands, other hosts and web processes need is not known here. With Django's pool the project has said
    itself how many there may be. Raises DatabaseError if the database does not answer.
    """
    connection = connections[alias]
    if connection.vendor != "postgresql" or connection.settings_dict.get("OPTIONS", {}).get("pool"):
        return ""
    each, most = connections_of_process(options.threads), _most(connection)
    if options.processes * each <= most:
        return ""
    return (
        f"Workers may open {options.processes * each} connections to database {alias!r} ({options.processes} x {each}: "
        f"threads + {_OWN}, and ASYNC_CONNECTIONS if there are async workflows), and it takes {most}."
    )


def connections_of_process(threads: int) -> int:
    """Return how many connections one worker process may open."""
    has_async = any(registry.workflows.get(name).is_async for name in registry.workflows.names())
    return threads + _OWN + (int(durable_settings.ASYNC_CONNECTIONS) if has_async else 0)


def _most(connection: Any) -> int:
    """Return how many connections the server takes from users that are no superusers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true), '0')::int"
        )
        return int(cursor.fetchone()[0])
