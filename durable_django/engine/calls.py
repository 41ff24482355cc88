"""What a step is (StepSpec), and one call of it in one run (Call)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction

from durable_django.base import clock
from durable_django.base.interrupts import Interrupt, LeaseLost, Stopped
from durable_django.base.retries import Retry
from durable_django.engine import context
from durable_django.engine.branches import Place
from durable_django.engine.checkpoints import Entry
from durable_django.engine.context import Run, StepInfo
from durable_django.exceptions import StepAborted, StepTimeout


@dataclass(eq=False, kw_only=True)
class StepSpec:
    """
    One step as declared.

    is_inline  it was called by run_step(), and has no acall() of its own
    """

    name: str
    func: Callable[..., Any]
    is_atomic: bool = False
    retry: Retry | None = None
    timeout_seconds: float | None = None
    kind: str = "step"
    is_inline: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the function is the engine's own: its transaction need not be guarded against it."""
        return self.kind != "step"

    @property
    def is_async(self) -> bool:
        """Whether the function is to be awaited."""
        return iscoroutinefunction(self.func)


@dataclass(eq=False)
class Call:
    """
    One call of a step at one place of a run.

    retries       failed calls so far, earlier attempts included
    is_retrying   the row without outcome exists
    is_timed_out  the heartbeat thread has recorded a timeout: whatever the body does now comes too late
    is_cancelled  the task that awaits the body was cancelled, by asyncio.timeout() in the workflow for one: no retry
    was_refused   its checkpoint was refused, though the workflow is this attempt's
    """

    run: Run
    spec: StepSpec
    place: Place
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    retries: int = 0
    is_retrying: bool = False
    is_timed_out: bool = False
    is_cancelled: bool = False
    was_refused: bool = False
    began_at: float = field(default=0.0)

    @property
    def info(self) -> StepInfo:
        """What current_step() says in the body."""
        return StepInfo(
            self.spec.name,
            self.place.position,
            self.retries + 1,
            context.key_of_place(self.run, self.place),
            self.place,
            self.spec.kind,
        )

    @property
    def timeout_seconds(self) -> float | None:
        """The longest time that the body may take."""
        return self.spec.timeout_seconds

    def body(self) -> Any:
        """
        Call the function. Whatever it raises is an Exception, an Interrupt or KeyboardInterrupt.

        Raises StepTimeout if it returned later than its timeout allows.
        """
        self.began_at = clock.elapsed_seconds()
        func = async_to_sync(self._awaited) if self.spec.is_async else self._called
        try:
            with context.stepping(self.info):
                value = func()
        except (Exception, Interrupt, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self.aborted_by(error) from error
        if self.spec.timeout_seconds is not None and self.seconds > self.spec.timeout_seconds:
            raise self.timeout()
        return value

    async def abody(self) -> Any:
        """Await the function, but no longer than its timeout allows; otherwise as body()."""
        self.began_at = clock.elapsed_seconds()
        try:
            with self._seat(), context.stepping(self.info):
                return await self._awaited()
        except (Exception, Interrupt):
            raise
        except KeyboardInterrupt as error:
            raise Stopped(error) from error
        except BaseException as error:
            raise self.aborted_by(error) from error

    def aborted_by(self, error: BaseException) -> BaseException:
        """Return what it means that the body was left by something that is no Exception."""
        if self.run.interrupt is not None:
            return self.run.interrupt
        self.is_cancelled = _is_being_cancelled()
        return StepAborted(step=self.spec.name, error=type(error).__name__)

    def _seat(self) -> AbstractContextManager[None]:
        board = self.run.board
        return nullcontext() if board is None else board.threads.seat()

    def _called(self) -> Any:
        return self.spec.func(*self.args, **self.kwargs)

    async def _awaited(self) -> Any:
        board = self.run.board
        with nullcontext() if board is None else board.interruptible():
            return await self._in_time()

    async def _in_time(self) -> Any:
        try:
            async with asyncio.timeout(self.spec.timeout_seconds) as limit:
                value = await self.spec.func(*self.args, **self.kwargs)
        except TimeoutError as error:
            if limit.expired():
                raise self.timeout() from error
            raise
        if limit.expired():
            # It has swallowed its cancellation.
            raise self.timeout()
        return value

    def require_in_time(self) -> None:
        """Raise LeaseLost in a thread whose timeout the heartbeat has recorded: the workflow goes on elsewhere."""
        if self.is_timed_out:
            raise LeaseLost

    def timeout(self) -> StepTimeout:
        """Return the error of a body that takes too long."""
        return StepTimeout(step=self.spec.name, timeout=self.spec.timeout_seconds, attempt=self.retries + 1)

    @property
    def seconds(self) -> float:
        """How long the body has been running."""
        return clock.elapsed_seconds() - self.began_at

    def entry(self, *, output: str | None = None, error: str | None = None) -> Entry:
        """Return the checkpoint of this call."""
        return Entry(
            run=self.run,
            place=self.place,
            name=self.spec.name,
            kind=self.spec.kind,
            output=output,
            error=error,
            retries=self.retries,
            is_retrying=self.is_retrying,
            seconds=self.seconds,
        )


def _is_being_cancelled() -> bool:
    # The private function is the documented way to ask without an exception where no loop runs.
    task = None if asyncio._get_running_loop() is None else asyncio.current_task()  # noqa: SLF001
    return task is not None and bool(task.cancelling())
