"""
Readers: threads that look at streams for async code, a few for all who read.

Django's own way would give each reader a thread and a connection for as long as it reads. Here a look takes one of the
few for a moment; their connections stay open while anybody reads, since opening one costs ten times as much as a look.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

from durable_django.api.twins import is_in_testcase
from durable_django.engine import context

T = TypeVar("T")

#: Threads, hence connections, of a process.
SIZE = 4

Look = Callable[[Callable[[], T]], Awaitable[T]]


class Readers:
    """The threads of one process; they begin with the first reader and end with the last one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._turns = itertools.count()
        self._threads: list[ThreadPoolExecutor] = []

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Look[Any]]:
        """
        Give what calls something in one of the threads.

        Under a TestCase only its own thread sees its rows.
        """
        if await sync_to_async(_is_in_testcase)():
            yield _look_here
            return
        self._enter()
        try:
            yield self._look
        finally:
            self._leave()

    async def _look(self, act: Callable[[], T]) -> T:
        thread = self._threads[next(self._turns) % SIZE]
        return await SyncToAsync(partial(_careful, act), thread_sensitive=False, executor=thread)()

    def _enter(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._threads = [ThreadPoolExecutor(1, thread_name_prefix=f"durable-reader-{n}") for n in range(SIZE)]

    def _leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                for thread in self._threads:
                    thread.submit(connections.close_all)
                    thread.shutdown(wait=False)


READERS = Readers()


async def leave_connections() -> None:
    """Close those that this request has opened so far: Django would keep them until its answer has ended."""
    await sync_to_async(_close_outside_transactions)()


def _close_outside_transactions() -> None:
    for connection in connections.all(initialized_only=True):
        # The block is that of a TestCase.
        if not connection.in_atomic_block:
            connection.close()


async def _look_here(act: Callable[[], T]) -> T:
    return await sync_to_async(act)()


def _careful(act: Callable[[], T]) -> T:
    """Call it; after an error the connection may be broken, and the next look opens another one."""
    try:
        return act()
    except BaseException:
        connections.close_all()
        raise


def _is_in_testcase() -> bool:
    return is_in_testcase(connections[context.alias_of_workflows()])
