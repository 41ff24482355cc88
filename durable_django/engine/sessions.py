"""
Sessions of running atomic steps, kept awake by the heartbeat.

PostgreSQL ends the transaction of a session that is idle in it for a lease (worker/boot.py), so that a frozen worker
blocks nobody. A healthy body may well compute, or wait for a service, for longer than that: the heartbeat thread, which
freezes with its process, shows the server that somebody is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections


class OpenSessions:
    """The sessions in which atomic bodies of one process run."""

    def __init__(self) -> None:
        self._sessions: dict[int, Any] = {}

    @contextmanager
    def open(self, alias: str) -> Iterator[None]:
        """Keep this thread's session awake while the block runs."""
        session = connections[alias].connection if connections[alias].vendor == "postgresql" else None
        if session is None:
            yield
            return
        self._sessions[id(session)] = session
        try:
            yield
        finally:
            self._sessions.pop(id(session), None)

    def keep_awake(self) -> None:
        """Send each session that is idle in its transaction something to do; one that works needs nothing."""
        for session in list(self._sessions.values()):
            _stir(session)


def _stir(session: Any) -> None:
    # The driver's own lock: whoever holds it is executing a statement.
    if not session.lock.acquire(blocking=False):
        return
    try:
        if session.info.transaction_status.name == "INTRANS":
            session.pgconn.exec_(b"SELECT 1")
    finally:
        session.lock.release()
