"""Connection hygiene around every unit of work of a worker's threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from durable_django.base import clock
from durable_django.engine import transactions

#: A connection that was not used for so long is tried before it is used: the server may have closed it meanwhile.
_IDLE_SECONDS = 5.0


@contextmanager
def unit_of_work(*, idle_since: float | None = None) -> Iterator[None]:
    """
    Close what is broken or too old before and after; keep DEBUG's query log from growing.

    idle_since  moment of elapsed_seconds() when the connections were last used; after a long rest they are tried first
    """
    close_old(idle_since=idle_since)
    try:
        yield
    finally:
        close_old()


def close_old(*, idle_since: float | None = None) -> None:
    """
    Close this thread's connections that are unusable or obsolete, or were left inside a transaction.

    idle_since  moment of elapsed_seconds() when they were last used; after a long rest they are tried first
    """
    is_doubtful = idle_since is not None and clock.elapsed_seconds() - idle_since > _IDLE_SECONDS
    connection: Any
    for connection in connections.all(initialized_only=True):
        connection.queries_log.clear()
        if connection.in_atomic_block:
            if connection.atomic_blocks[0]._from_testcase:  # noqa: SLF001 - as Django itself asks
                continue
            # Left open by user code, on whichever database: nobody is inside any more.
            transactions.discard(connection.alias)
        else:
            connection.errors_occurred = connection.errors_occurred or (
                is_doubtful and connection.connection is not None
            )
            connection.close_if_unusable_or_obsolete()
            if connection.settings_dict.get("OPTIONS", {}).get("pool"):
                connection.close()
