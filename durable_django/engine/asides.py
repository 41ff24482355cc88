"""
Asides: what a task lets a thread do, since it would block the event loop, and how it waits for that.

What asks the database cannot be stopped half-way: a statement that was sent may be committed. So a task that is
cancelled meanwhile waits for the end all the same, and is cancelled then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar

from asgiref.sync import sync_to_async

from durable_django.base.interrupts import Stopped
from durable_django.engine.ownership import Ownership

T = TypeVar("T")

#: How something is called in a thread: around(call) returns call(), with what belongs around it.
Around = Callable[[Callable[[], Any]], Any]


class Threads(Protocol):
    """Where a task lets the database be asked."""

    def __call__(self, act: Callable[[], T], *, is_of_step: bool = False) -> Awaitable[T]:
        """Call something in one of the threads; user code, which may take it for long, as a step."""

    def seat(self, around: Around | None = None) -> AbstractContextManager[None]:
        """Give a block one thread of its own for what it asks the database through sync_to_async()."""

    def lending(self, around: Around | None = None) -> AbstractContextManager[None]:
        """Give a block a thread for each thing that it asks the database through sync_to_async(), for as long."""


class OneThread:
    """Lets the thread that waits for an event loop ask the database, as async_to_sync() arranges it."""

    def __call__(self, act: Callable[[], T], *, is_of_step: bool = False) -> Awaitable[T]:  # noqa: ARG002 - see Threads
        """Call something in that thread."""
        return sync_to_async(act)()

    def seat(self, around: Around | None = None) -> AbstractContextManager[None]:  # noqa: ARG002 - see Threads
        """Give the same thread: there is no other."""
        return nullcontext()

    lending = seat


class AwakeThreads:
    """The threads of one run, whose sessions the heartbeat keeps awake while they work for it."""

    def __init__(self, threads: Threads, owner: Ownership, alias: str) -> None:
        self.threads = threads
        self.owner = owner
        self.alias = alias

    def __call__(self, act: Callable[[], T], *, is_of_step: bool = False) -> Awaitable[T]:
        """Call something in one of the threads."""
        return self.threads(partial(self._around, act), is_of_step=is_of_step)

    def seat(self, around: Around | None = None) -> AbstractContextManager[None]:  # noqa: ARG002 - it has its own
        """Give a block one thread of its own."""
        return self.threads.seat(self._around)

    def lending(self, around: Around | None = None) -> AbstractContextManager[None]:  # noqa: ARG002 - it has its own
        """Give a block a thread for each call."""
        return self.threads.lending(self._around)

    def _around(self, act: Callable[[], T]) -> T:
        with self.owner.sessions.open(self.alias):
            return act()


class Late:
    """A cancellation of this task that came while something could not be stopped; `follow()` raises it afterwards."""

    def __init__(self, error: asyncio.CancelledError | None = None) -> None:
        self.error = error

    async def outlast(self, act: Awaitable[T]) -> T:
        """Wait for the end of something, whatever happens to this task meanwhile."""
        running = asyncio.ensure_future(_contained(act))
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError as error:
                self.error = error
        return running.result()

    def follow(self) -> None:
        """Raise the cancellation, once, if one came."""
        error, self.error = self.error, None
        if error is not None:
            raise error


async def _contained(act: Awaitable[T]) -> T:
    """Await it in a task, out of which KeyboardInterrupt would end the event loop."""
    try:
        return await act
    except KeyboardInterrupt as error:
        raise Stopped(error) from error


async def aside(threads: Threads, act: Callable[[], T], late: Late) -> T:
    """Let a thread do something, to its end."""
    return await late.outlast(threads(act))
