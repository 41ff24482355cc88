"""
Wake-ups: the ring after a commit, and the bell that idle workers wait at.

PostgreSQL: LISTEN/NOTIFY, sent after the commit and never inside the hot transaction, since NOTIFY takes a
database-wide lock at commit. SQLite: PRAGMA data_version tells that another connection has written. A ring is a hint:
polling finds everything all the same, only later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import DatabaseError, connections, transaction

from durable_django import signals
from durable_django.base import clock
from durable_django.conf import durable_settings

CHANNEL = "durable_django"
#: At most one ring in so long per process and database: a rung worker polls again anyway (worker/loop.py).
QUIET_SECONDS = 0.010
#: How often data_version is read. Half of it delays a start; at 8 ms an idle worker used 1.5 % of a core.
_SQLITE_GLANCE_SECONDS = 0.014

_last_ring: dict[str, float] = {}
_here: dict[str, Callable[[], None]] = {}


def connect() -> None:
    """Ring when verbs of rows give workers something to do; connecting twice changes nothing."""
    changes = (signals.workflows_resumed, signals.workflows_stopped, signals.workflows_woken)
    starts = (signals.workflows_forked, signals.workflows_followed)
    for signal in (*changes, *starts, signals.schedules_changed):
        signal.connect(_ring_for_rows, dispatch_uid="durable_django.wakeups")


def _ring_for_rows(*, alias: str, **_facts: Any) -> None:
    ring(alias)


def ring(alias: str, delay_seconds: float = 0) -> None:
    """Wake an idle worker once the caller's transaction has committed. A rollback rings nobody."""
    connection = connections[alias]
    if alias not in _here and not _is_notifying(alias):
        return
    if not (connection.in_atomic_block or connection.get_autocommit()):
        # Without autocommit nobody tells when the caller commits; workers poll.
        return
    if delay_seconds <= durable_settings.POLL_SECONDS:
        transaction.on_commit(partial(_ring, alias), using=alias, robust=True)


def hear(alias: str, heard: Callable[[], None] | None) -> None:
    """
    Let rings of this process call a function of its worker, too: it need not wait for the way round by the database.

    heard  called in the thread that rings; None: no more
    """
    if heard is None:
        _here.pop(alias, None)
    else:
        _here[alias] = heard


def _is_notifying(alias: str) -> bool:
    return connections[alias].vendor == "postgresql" and bool(durable_settings.NOTIFY)


def _ring(alias: str) -> None:
    if heard := _here.get(alias):
        heard()
    if _is_notifying(alias):
        _notify(alias)


def _notify(alias: str) -> None:
    now = clock.elapsed_seconds()
    if now - _last_ring.get(alias, -1.0) < QUIET_SECONDS:
        return
    _last_ring[alias] = now
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    except DatabaseError as error:
        # The work is committed; a worker's next poll finds it.
        signals.wakeup_failed.send_robust(sender=None, error=error)


def bell(alias: str) -> Bell:
    """Return the bell of a database for the thread that calls this, on that thread's own connection."""
    kinds = {"postgresql": PostgresBell, "sqlite": SqliteBell}
    kind = kinds.get(connections[alias].vendor, Bell) if durable_settings.NOTIFY else Bell
    return kind(alias)


class Bell:
    """A bell that never rings: whoever waits at it just polls."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def wait(self, seconds: float) -> bool:
        """Wait so long, or less if it rings. Return whether it rang. Raises DatabaseError if the connection broke."""
        time.sleep(seconds)
        return False


class PostgresBell(Bell):
    """
    LISTEN on the connection of the heartbeat: a half-open connection is noticed by the next heartbeat.

    A new bell rings at once: what came before it listened was heard by nobody.
    """

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self._listening: Any = None

    def wait(self, seconds: float) -> bool:
        connection = connections[self.alias]
        if connection.connection is None or connection.connection is not self._listening:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening = connection.connection
            return True
        with connection.wrap_database_errors:
            return any(True for _ring in self._listening.notifies(timeout=seconds, stop_after=1))


class SqliteBell(Bell):
    """
    data_version changes when another connection has committed, of whichever process.

    A new bell rings at once: what was committed before its first glance was heard by nobody.
    """

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self._version: Any = None

    def wait(self, seconds: float) -> bool:
        end = clock.elapsed_seconds() + seconds
        session = self._session()
        with connections[self.alias].wrap_database_errors:
            while True:
                time.sleep(min(_SQLITE_GLANCE_SECONDS, seconds))
                if self._has_changed(session):
                    return True
                # Behind the first glance: on a busy machine the time may be over before it.
                if clock.elapsed_seconds() >= end:
                    return False

    def _session(self) -> Any:
        """Return the driver's own connection: a glance is made a hundred times a second, and must cost nothing."""
        connection = connections[self.alias]
        connection.ensure_connection()
        return connection.connection

    def _has_changed(self, session: Any) -> bool:
        version = session.execute("PRAGMA data_version").fetchone()[0]
        before, self._version = self._version, version
        return bool(before != version)
