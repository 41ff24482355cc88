"""
Turns: the threads of one process take turns at writing to SQLite, which has one writer.

SQLite lets a writer that finds the file locked sleep, longer each time, and try again: eight threads that write all the
time spent most of it asleep. A lock of this process wakes the next one at once. Other processes still meet in the file.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connections

_locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
_NO_TURN: AbstractContextManager[Any] = nullcontext()


def turn(alias: str) -> AbstractContextManager[Any]:
    """Return what to hold while writing: a lock on SQLite, nothing elsewhere. A thread may hold it twice."""
    return _locks[alias] if connections[alias].vendor == "sqlite" else _NO_TURN
