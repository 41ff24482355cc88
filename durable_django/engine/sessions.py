"""
Sessions of running workflows, kept awake by the heartbeat.

PostgreSQL ends the transaction of a session that is idle in it for a lease (worker/boot.py), so that a frozen worker
blocks nobody. A healthy body may well compute, or wait for a service, for longer than that inside a transaction, the
engine's or its own: the heartbeat thread, which freezes with its process, shows the server that somebody is there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import connections


class OpenSessions:
    """The connections on which workflows of one process run."""

    def __init__(self) -> None:
        self._connections: dict[int, Any] = {}

    @contextmanager
    def open(self, alias: str) -> Iterator[None]:
        """Keep this thread's session awake while the block runs, also one that replaces it meanwhile."""
        if connections[alias].vendor != "postgresql":
            yield
            return
        thread = threading.get_ident()
        self._connections[thread] = connections[alias]
        try:
            yield
        finally:
            self._connections.pop(thread, None)

    def keep_awake(self) -> None:
        """Send each session that is idle in a transaction something to do; one that works needs nothing."""
        for connection in list(self._connections.values()):
            session = connection.connection
            # One that breaks, or is closed meanwhile, is the business of the thread that uses it.
            with suppress(connection.Database.Error):
                if session is not None:
                    _stir(session)


def _stir(session: Any) -> None:
    # The driver's own lock: whoever holds it is executing a statement.
    if not session.lock.acquire(blocking=False):
        return
    try:
        if not session.closed and session.info.transaction_status.name == "INTRANS":
            session.pgconn.exec_(b"SELECT 1")
    finally:
        session.lock.release()
