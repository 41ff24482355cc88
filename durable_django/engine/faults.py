"""
What a database error means, by SQLSTATE or SQLite's error code: never by its class or its words.

Sources: PostgreSQL, appendix A (error codes); SQLite, result codes. The driver's error is the cause of Django's.
"""

from __future__ import annotations

import enum
import random
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, Error, InterfaceError, OperationalError, connections

from durable_django import signals
from durable_django.base.interrupts import EngineFailed
from durable_django.engine.ownership import Ownership
from durable_django.models.compiled import SESSION_CHANGED
from durable_django.models.worker import Worker

T = TypeVar("T")

_LONGEST_PAUSE_SECONDS = 2.0
_LOST_CLASSES = ("08", "57P")
_UNAVAILABLE = ("53", "25006", "58", "XX")
_TIMED_OUT = {"57014", "55P03"}


class Fault(enum.Enum):
    """What can be done about a database error."""

    REFUSED = "the fence in the INSERT did not hold"
    TAKEN = "the key is taken"
    CONSTRAINT = "a constraint is broken, the transaction is rolled back"
    ROLLED_BACK = "rolled back by the database, the same again may succeed"
    LOST = "no verdict: the connection is gone"
    UNAVAILABLE = "the database cannot do it now"
    TIMED_OUT = "a statement or lock took longer than a timeout that somebody set"
    PERMANENT = "the same again would fail the same way"


def classify(error: BaseException) -> Fault:
    """Return what the error means; an error that is not the database's is PERMANENT."""
    cause = error.__cause__ if isinstance(error, Error) and error.__cause__ else error
    if isinstance(cause, sqlite3.Error):
        return _classify_sqlite(cause)
    state = getattr(cause, "sqlstate", None)
    if state:
        return _classify_sqlstate(state)
    # psycopg reports a broken or refused connection without a state: no server was there to give one.
    return Fault.LOST if isinstance(error, OperationalError | InterfaceError) else Fault.PERMANENT


def is_passing(error: BaseException) -> bool:
    """
    Whether the error says nothing about the work itself: the database was away, busy or had to choose a victim.

    A timeout of the user's own does say something; to the engine's statements it is as good as unavailable.
    """
    return isinstance(error, Error) and classify(error) in {Fault.ROLLED_BACK, Fault.LOST, Fault.UNAVAILABLE}


def _classify_sqlstate(state: str) -> Fault:
    if state in {"40001", "40P01", *SESSION_CHANGED}:
        return Fault.ROLLED_BACK
    # 25P03: the server ended the transaction of a session that was idle in it for too long, and the session with it.
    if state == "25P03" or state.startswith(_LOST_CLASSES):
        return Fault.LOST
    if state in _TIMED_OUT:
        return Fault.TIMED_OUT
    if state.startswith(_UNAVAILABLE):
        return Fault.UNAVAILABLE
    by_state = {"23502": Fault.REFUSED, "23505": Fault.TAKEN}
    return by_state.get(state, Fault.CONSTRAINT if state.startswith("23") else Fault.PERMANENT)


def _classify_sqlite(error: sqlite3.Error) -> Fault:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return Fault.LOST if isinstance(error, sqlite3.ProgrammingError) else Fault.PERMANENT
    by_extended = {
        sqlite3.SQLITE_CONSTRAINT_NOTNULL: Fault.REFUSED,
        sqlite3.SQLITE_CONSTRAINT_UNIQUE: Fault.TAKEN,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Fault.TAKEN,
    }
    by_primary = {
        sqlite3.SQLITE_CONSTRAINT: Fault.CONSTRAINT,
        sqlite3.SQLITE_BUSY: Fault.ROLLED_BACK,
        sqlite3.SQLITE_LOCKED: Fault.ROLLED_BACK,
        sqlite3.SQLITE_INTERRUPT: Fault.TIMED_OUT,
        sqlite3.SQLITE_FULL: Fault.UNAVAILABLE,
        sqlite3.SQLITE_IOERR: Fault.UNAVAILABLE,
        sqlite3.SQLITE_CANTOPEN: Fault.UNAVAILABLE,
        sqlite3.SQLITE_READONLY: Fault.UNAVAILABLE,
        sqlite3.SQLITE_NOMEM: Fault.UNAVAILABLE,
    }
    return by_extended.get(code) or by_primary.get(code & 0xFF, Fault.PERMANENT)


def until_answered(alias: str, owner: Ownership, what: str, act: Callable[[], T]) -> T:
    """
    Do something in the database, again and again while it is away and the process's own lease stands.

    An `act` must be safe to repeat: its COMMIT may have succeeded although no answer came.
    Raises LeaseLost when the lease has passed, EngineFailed on an error that repeating cannot mend; IntegrityErrors go
    through, they are an answer.
    """
    tries = 0
    while True:
        try:
            return act()
        except DatabaseError as error:
            fault = classify(error)
            if fault in {Fault.REFUSED, Fault.TAKEN, Fault.CONSTRAINT}:
                raise
            if fault is Fault.PERMANENT or connections[alias].in_atomic_block:
                raise EngineFailed(error) from error
            tries += 1
            back_off(alias, owner, what, error, tries)
        except InterfaceError as error:
            tries += 1
            back_off(alias, owner, what, error, tries)


def back_off(alias: str, owner: Ownership, what: str, error: BaseException, tries: int) -> None:
    """Pause before the next try, longer each time, with jitter. Raises LeaseLost when the lease has passed."""
    close_broken(alias)
    delay = min(0.05 * 2 ** min(tries - 1, 8), _LONGEST_PAUSE_SECONDS) * (0.5 + random.random())  # noqa: S311
    signals.database_away.send_robust(sender=None, what=what, error=error, delay_seconds=delay)
    owner.require_lease()
    owner.pause(delay)
    owner.require_lease()


def wait_until_writable(alias: str, owner: Ownership) -> None:
    """
    Wait until the database takes writes again: it may be away, full, or a standby that was promoted too early.

    Raises as until_answered() does. Inside a transaction, as in a TestCase, nothing is tried.
    """
    if not connections[alias].in_atomic_block:
        rows = Worker.objects.using(alias)
        until_answered(alias, owner, "write again", lambda: rows.touch(owner.worker_id))


def close_broken(alias: str) -> None:
    """Close those of this thread's connections that no longer work, so that the next query opens others."""
    connections[alias].errors_occurred = True
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
