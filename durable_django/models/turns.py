"""
Turns: the threads of one process take turns at writing to SQLite, which has one writer.

SQLite lets a writer that finds the file locked sleep, longer each time, and try again: eight threads that write all the
time spent most of it asleep. A lock of this process wakes the next one at once. Other processes still meet in the file.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import connections, transaction

#: Whoever waited so long goes on without a turn: then SQLite itself decides, and gives up at its own timeout.
_LONGEST_WAIT_SECONDS = 1.0

_locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)


def turn(connection: Any) -> AbstractContextManager[None]:
    """
    Hold the turn for one short write on SQLite; elsewhere do nothing. A thread may hold it twice.

    Inside a transaction, which already has the file's lock, nothing is waited for: whoever has the turn may be waiting
    for that very lock.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return _NO_TURN
    return _holding(_locks[connection.alias])


_NO_TURN = nullcontext()


@contextmanager
def _holding(lock: Any) -> Iterator[None]:
    has_turn = lock.acquire(timeout=_LONGEST_WAIT_SECONDS)
    try:
        yield
    finally:
        if has_turn:
            lock.release()


@contextmanager
def short_transaction(alias: str, *, savepoint: bool = True) -> Iterator[None]:
    """
    Run a block in one transaction, in its turn.

    savepoint  False: within a transaction it is just a part of that, and an error out of it breaks nothing
    """
    connection = connections[alias]
    if connection.in_atomic_block and not savepoint:
        yield
        return
    with turn(connection), transaction.atomic(using=alias):
        yield
