"""Headroom: how many connections a worker command may open, held against what the server takes and the pool holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connections

from durable_django.base import registry
from durable_django.conf import durable_settings
from durable_django.worker.options import WorkerOptions

#: Those of the loop and of the heartbeat.
_OWN = 2
#: psycopg_pool's own `min_size`, which is also the most where nobody says more.
_POOL_SIZE = 4


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


def shortage_of_pool(alias: str, threads: int) -> str:
    """
    Return a sentence if Django's pool holds fewer connections than one process uses at a time, "" if not.

    The heartbeat's lies outside of it. A thread that finds none free for half a minute fails.
    """
    connection = connections[alias]
    held = _size_of(connection.settings_dict.get("OPTIONS"))
    needed = connections_of_process(threads) - 1
    if connection.vendor != "postgresql" or held is None or needed <= held:
        return ""
    return (
        f"The pool of database {alias!r} holds at most {held} connections, and a worker process uses up to {needed}: "
        f"threads + {_OWN - 1}, and ASYNC_CONNECTIONS if there are async workflows."
    )


def _size_of(options: Any) -> int | None:
    """Return how many connections Django's pool may hold; None without one, or if that cannot be said."""
    pool = options.get("pool") if isinstance(options, Mapping) else None
    if not pool or not isinstance(pool, Mapping):
        # True means the defaults, an empty dict no pool.
        return _POOL_SIZE if pool else None
    size = pool.get("max_size")
    size = pool.get("min_size", _POOL_SIZE) if size is None else size
    return size if type(size) is int else None


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
