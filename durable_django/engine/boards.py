"""
The board of an async run: which of its operations are busy, and which wait.

Operations of one run may be under way at the same time, by asyncio.gather(), a TaskGroup or agather(). One that has to
wait stands on the board until its answer comes; when nothing of the run goes on any more, it is suspended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from durable_django.base import clock
from durable_django.base.interrupts import EngineFailed, Interrupt, Parked
from durable_django.engine import waits
from durable_django.engine.asides import Late, Threads, aside
from durable_django.engine.driving import Flow, adrive
from durable_django.engine.waits import Wait
from durable_django.exceptions import StepAborted

if TYPE_CHECKING:
    from durable_django.engine.context import Run

#: How often to look whether the answer of one operation has come while others are busy (seconds).
_LOOK_SECONDS = 0.25
#: Turns of the event loop in which code that an operation has answered gets to its next one: what awaits it may be
#: nested in tasks and groups, each of which takes a turn or two.
_TURNS = 20
#: What is awaited beside durable operations gets so long before the run is suspended over its head (seconds).
_GRACE_SECONDS = 1.0
#: How often to cancel again what has swallowed it (seconds).
_INSIST_SECONDS = 1.0


class Board:
    """
    The operations of one async run, in the event loop of its task.

    threads  where the database is asked
    task     the one that runs the workflow's own code, as long as that has not ended
    """

    def __init__(self, run: Run, threads: Threads) -> None:
        self.run = run
        self.threads = threads
        self.task: asyncio.Task[Any] = _this_task()
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._busy = 0
        # Lines of calls by the keys of their branches, and how many operations each has under way.
        self._lines = {run.main.key}
        self._operations: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._interruptible: set[asyncio.Task[Any]] = set()
        self._made: WeakSet[asyncio.Task[Any]] = WeakSet()
        # Cancellations that operations outlasted. The next one of the task is hit instead, unless asyncio.timeout(), or
        # whoever had asked for it, has taken it back meanwhile: what was recorded in time is in time at every replay.
        self._late: WeakKeyDictionary[asyncio.Task[Any], asyncio.CancelledError] = WeakKeyDictionary()
        self._parked: dict[asyncio.Future[None], Sequence[Wait]] = {}
        self._closing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._changed_at = 0.0
        self._is_open = asyncio.Event()
        self._is_open.set()

    # -- operations ----------------------------------------------------------------------------------------------------

    async def drive(self, begin: Callable[[], Flow[Any]]) -> Any:
        """Drive a flow to its end; one that has to wait is begun again when its answer has come."""
        return await self.perform(lambda late: adrive(begin(), self.threads, late))

    async def ask(self, act: Callable[[], Any]) -> Any:
        """Let a thread do an operation; one that has to wait is done again when its answer has come."""
        return await self.perform(lambda late: aside(self.threads, act, late))

    async def perform(self, act: Callable[[Late], Awaitable[Any]]) -> Any:
        """Do one operation; one that has to wait is done again when its answer has come."""
        # While it is decided whether the run is suspended, nothing new begins.
        await self._is_open.wait()
        self._require_going_on()
        with self._under_way() as late:
            try:
                return await self._until_answered(act, late)
            except Exception as error:
                if self._is_over:
                    # Nobody asks for it any more.
                    raise asyncio.CancelledError from error
                raise

    async def _until_answered(self, act: Callable[[Late], Awaitable[Any]], late: Late) -> Any:
        while True:
            try:
                return await act(late)
            except Parked as parked:
                if late.error is None:
                    await self._wait(parked.waits, late)
                if late.error is not None:
                    return await self._give_up(parked.waits, late)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let end() cancel this task, too, while the block runs."""
        task = _this_task()
        if task is self.task:
            yield
            return
        self._interruptible.add(task)
        try:
            yield
        finally:
            self._interruptible.discard(task)

    @contextlib.contextmanager
    def branching(self, keys: Sequence[str]) -> Iterator[None]:
        """Note that this line of calls waits in the block for branches of it; each of them ends by end_line()."""
        line = self.run.branch.key
        self._operations[line] += 1
        self._lines.update(keys)
        try:
            yield
        finally:
            self._operations[line] -= 1
            self._lines.difference_update(keys)
            self._note_change()

    def end_line(self, key: str) -> None:
        """Note that a branch has ended."""
        self._lines.discard(key)
        self._note_change()

    # -- ends ----------------------------------------------------------------------------------------------------------

    def end_soon(self, interrupt: Interrupt) -> None:
        """Interrupt whatever the run is doing, from another thread than the event loop's."""
        # A loop that has ended does nothing any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.end, interrupt)

    def end(self, interrupt: Interrupt) -> None:
        """Interrupt whatever the run is doing; nothing if its code has ended."""
        if self._is_over:
            return
        if self.run.interrupt is None:
            self.run.interrupt = interrupt
        for waiting in self._parked:
            if not waiting.done():
                waiting.set_exception(self.run.interrupt)
                # Its task may be cancelled before it sees that; nobody need be told that nobody asked.
                waiting.exception()
        for task in {self.task, *self._interruptible}:
            task.cancel()

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Note a task that the workflow's code has made, to end it with the attempt."""
        self._made.add(task)

    async def leave(self) -> None:
        """
        End what the workflow's code, which has ended, has left behind: operations that nobody awaits, and other tasks.

        Until the operations have ended nothing is settled: another attempt must not begin beside a step that still
        runs, nor a suspension be decided beside an outcome.
        """
        self._is_over = True
        self._note_change()
        await Late().outlast(self._end_operations())
        for task in self._made:
            task.cancel()

    async def _end_operations(self) -> None:
        while self._tasks:
            for task in self._tasks | self._interruptible:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=_INSIST_SECONDS)
        if self._closing is not None:
            await asyncio.wait([self._closing])

    # -- waiting -------------------------------------------------------------------------------------------------------

    def _require_going_on(self) -> None:
        if self.run.interrupt is not None:
            raise self.run.interrupt
        if self._is_over:
            # A task that the workflow's code has left behind.
            raise asyncio.CancelledError

    @contextlib.contextmanager
    def _under_way(self) -> Iterator[Late]:
        line, task = self.run.branch.key, _this_task()
        late = Late(self._late.pop(task, None) if task.cancelling() else None)
        self._operations[line] += 1
        self._busy += 1
        self._tasks.add(task)
        try:
            yield late
        finally:
            self._operations[line] -= 1
            self._busy -= 1
            self._note_change()
            self._tasks.discard(task)
            if late.error is not None:
                self._late[task] = late.error

    async def _wait(self, awaited: Sequence[Wait], late: Late) -> None:
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._parked[waiting] = awaited
        self._busy -= 1
        self._note_change()
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())
        try:
            await waiting
        except asyncio.CancelledError as error:
            if self._is_over:
                raise
            late.error = error
        finally:
            del self._parked[waiting]
            self._busy += 1

    async def _give_up(self, awaited: Sequence[Wait], late: Late) -> Any:
        """End the wait of an operation whose task the workflow's own code has cancelled: for good, as a step ends."""
        error, late.error = late.error, None
        await late.outlast(self._is_open.wait())
        self._require_going_on()
        (wait,) = awaited
        aborted = StepAborted(step=wait.name, error=type(error).__name__)
        return await aside(self.threads, partial(waits.give_up, wait, aborted), late)

    def _note_change(self) -> None:
        self._changed_at = clock.elapsed_seconds()
        self._changed.set()

    async def _close(self) -> None:
        """Let those go on whose answer has come; suspend the run when nothing else goes on."""
        try:
            next_look = clock.elapsed_seconds() + _LOOK_SECONDS
            while self._parked and self.run.interrupt is None and not self._is_over:
                if await self._is_quiet():
                    self._let_go_on(await self._suspend())
                elif clock.elapsed_seconds() >= next_look:
                    self._let_go_on(await self._look())
                    next_look = clock.elapsed_seconds() + _LOOK_SECONDS
                else:
                    await self._change(next_look - clock.elapsed_seconds())
        except Interrupt as interrupt:
            self.end(interrupt)
        except Exception as error:  # noqa: BLE001 - else the run would wait for ever
            self.end(EngineFailed(error))
        finally:
            self._closing = None

    async def _is_quiet(self) -> bool:
        """
        Whether nothing of the run goes on but what waits.

        A line of calls without an operation under way awaits something else, or is about to begin its next one.
        """
        for _turn in range(_TURNS):
            if self._busy:
                return False
            await asyncio.sleep(0)
        is_somewhere_else = any(not self._operations[line] for line in self._lines)
        if is_somewhere_else and clock.elapsed_seconds() - self._changed_at < _GRACE_SECONDS:
            return False
        return not self._busy and not self._is_over

    async def _change(self, seconds: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._changed.wait()

    async def _look(self) -> list[Wait]:
        return await aside(self.threads, partial(waits.that_are_ready, self.run, self._waits()), Late())

    async def _suspend(self) -> list[Wait]:
        self._is_open.clear()
        try:
            return await aside(self.threads, partial(waits.suspend, self.run, self._waits()), Late())
        finally:
            self._is_open.set()

    def _waits(self) -> list[Wait]:
        return [wait for awaited in self._parked.values() for wait in awaited]

    def _let_go_on(self, ready: Sequence[Wait]) -> None:
        for waiting, awaited in self._parked.items():
            if not waiting.done() and any(wait in ready for wait in awaited):
                waiting.set_result(None)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise LookupError
    return task
