"""
Threads for the database, shared by the async workflows of one process: as many connections, and no more.

Each statement of the engine takes a thread for as long as it lasts. A step that asks the database through Django's
async ORM keeps one from its first question until it ends, since a cursor and a transaction belong to the thread that
opened them; so does a step that is not async, or atomic, as long as it runs. The code between the steps, which may
await for long, has one for each question.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.db import Error, connections

from durable_django.base import clock
from durable_django.engine.asides import Around
from durable_django.worker import hygiene

T = TypeVar("T")

#: Threads that steps leave to the engine, however many of them ask the database and for however long.
_RESERVED = 2


class DatabaseThreads:
    """At most `size` threads. Everything here is called in the event loop's own thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._all: list[DatabaseThread] = []
        self._free: list[DatabaseThread] = []
        self._engine: deque[Seat] = deque()
        self._steps: deque[Seat] = deque()
        self._held_by_steps = 0

    async def __call__(self, act: Callable[[], T], *, is_of_step: bool = False) -> T:
        """Call something in one of the threads."""
        seat = Seat(self, is_of_step=is_of_step)
        call: Any = SyncToAsync(act, thread_sensitive=False, executor=seat)  # type: ignore[arg-type]
        try:
            return await call()  # type: ignore[no-any-return]
        finally:
            seat.shutdown()

    @contextlib.contextmanager
    def seat(self, around: Around | None = None) -> Iterator[None]:
        """Give a block one thread of its own for what it asks the database through sync_to_async()."""
        seat = Seat(self, is_of_step=True, around=around)
        try:
            with _executing(seat):
                yield
        finally:
            seat.shutdown()

    @contextlib.contextmanager
    def lending(self, around: Around | None = None) -> Iterator[None]:
        """Give a block a thread for each thing that it asks the database through sync_to_async(), for as long."""
        with _executing(Lender(self, around)):
            yield

    def request(self, seat: Seat) -> None:
        """Give the seat a thread, as soon as one is free."""
        (self._steps if seat.is_of_step else self._engine).append(seat)
        self._give()

    def withdraw(self, seat: Seat) -> None:
        """Forget a seat that has no thread yet, and needs none any more."""
        waiting = self._steps if seat.is_of_step else self._engine
        if seat in waiting:
            waiting.remove(seat)

    def give_back(self, seat: Seat) -> None:
        """Take the thread of a seat back, whatever it has left on its connections."""
        if seat.thread is None:
            return
        if seat.is_of_step:
            self._held_by_steps -= 1
        seat.thread.submit(seat.thread.tidy)
        self._free.append(seat.thread)
        seat.thread = None
        self._give()

    def stop(self) -> None:
        """End the threads as they become idle."""
        for thread in self._all:
            thread.stop()

    def _give(self) -> None:
        while self._engine and self._has_free():
            self._engine.popleft().take(self._free.pop())
        while self._steps and self._held_by_steps < max(1, self.size - _RESERVED) and self._has_free():
            self._held_by_steps += 1
            self._steps.popleft().take(self._free.pop())

    def _has_free(self) -> bool:
        if not self._free and len(self._all) < self.size:
            thread = DatabaseThread(f"durable-database-{len(self._all)}")
            self._all.append(thread)
            self._free.append(thread)
        return bool(self._free)


class DatabaseThread:
    """A thread that does one thing after the other. It must not keep the process alive, as those of Python's pools."""

    def __init__(self, name: str) -> None:
        self._todo: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._idle_since = clock.elapsed_seconds()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, act: Callable[[], Any]) -> None:
        """Do something that does not raise, once everything before it is done."""
        self._todo.put(act)

    def stop(self) -> None:
        """End the thread once everything is done."""
        self._todo.put(None)

    def freshen(self) -> None:
        """Close connections that do not work any more; after a long rest they are tried."""
        with contextlib.suppress(Error):
            hygiene.close_old(idle_since=self._idle_since)

    def tidy(self) -> None:
        """Close connections that are broken, too old, or were left inside a transaction."""
        with contextlib.suppress(Error):
            hygiene.close_old()
        self._idle_since = clock.elapsed_seconds()

    def _run(self) -> None:
        while (act := self._todo.get()) is not None:
            act()
            # Nothing of what was done is kept alive while there is nothing to do.
            del act
        connections.close_all()


class Seat:
    """An executor, as asyncio and asgiref use one, that has a thread from its first call until shutdown()."""

    def __init__(self, threads: DatabaseThreads, *, is_of_step: bool, around: Around | None = None) -> None:
        self.threads = threads
        self.is_of_step = is_of_step
        self.thread: DatabaseThread | None = None
        self._around = around
        self._is_closed = False
        self._pending: list[Callable[[], Any]] = []
        self._unfinished: set[Future[Any]] = set()

    def submit(self, func: Callable[..., T], /, *args: Any) -> Future[T]:
        """Call something in the thread, once there is one."""
        if self._is_closed:
            message = "The step that this code belongs to has ended, and its thread for the database with it."
            raise RuntimeError(message)
        future: Future[T] = Future()
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        call: Callable[[], T] = partial(func, *args)
        act = partial(_fulfil, future, call if self._around is None else partial(self._around, call))
        if self.thread is not None:
            self.thread.submit(act)
        else:
            self._pending.append(act)
            if len(self._pending) == 1:
                self.threads.request(self)
        return future

    def take(self, thread: DatabaseThread) -> None:
        """Take the thread, and do what is pending in it."""
        self.thread = thread
        thread.submit(thread.freshen)
        pending, self._pending = self._pending, []
        for act in pending:
            thread.submit(act)

    def shutdown(self, **_options: Any) -> None:
        """Give the thread back; if it is still busy with what nobody waits for any more, when it is free."""
        self._is_closed = True
        unfinished = [future for future in list(self._unfinished) if not future.cancel() and not future.done()]
        if self.thread is None:
            self.threads.withdraw(self)
        elif unfinished:
            loop = asyncio.get_running_loop()
            unfinished[0].add_done_callback(lambda _done: _call_in(loop, partial(self.threads.give_back, self)))
        else:
            self.threads.give_back(self)


class Lender:
    """An executor, as asgiref uses one, that takes a seat for each call: threads keep nothing from one to the next."""

    def __init__(self, threads: DatabaseThreads, around: Around | None) -> None:
        self.threads = threads
        self._around = around

    def submit(self, func: Callable[..., T], /, *args: Any) -> Future[T]:
        """Call something in a thread, once one is free."""
        seat, loop = Seat(self.threads, is_of_step=True, around=self._around), asyncio.get_running_loop()
        future = seat.submit(func, *args)
        future.add_done_callback(lambda _done: _call_in(loop, seat.shutdown))
        return future


@contextlib.contextmanager
def _executing(executor: Seat | Lender) -> Iterator[None]:
    """Let sync_to_async() call what it is given in this executor."""
    # Where asgiref looks for the one that it would make otherwise: a thread for each context, without a bound, or one
    # for the whole process, whose connection nobody would look after. Not as a context manager, which would shut the
    # executor down in another thread.
    sensitive = ThreadSensitiveContext()
    SyncToAsync.context_to_thread_executor[sensitive] = executor  # type: ignore[assignment]
    token = SyncToAsync.thread_sensitive_context.set(sensitive)
    try:
        yield
    finally:
        SyncToAsync.thread_sensitive_context.reset(token)


def _call_in(loop: asyncio.AbstractEventLoop, act: Callable[[], object]) -> None:
    # Of a loop that has ended meanwhile nobody needs the thread.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(act)


def _fulfil(future: Future[T], call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where the future is awaited
        future.set_exception(error)
    else:
        future.set_result(value)
