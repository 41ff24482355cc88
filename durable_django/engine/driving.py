"""
Driving: what the engine does in a run is written once, as a flow, and driven in a thread or in a task.

A flow is a generator. It yields what takes time, as an Act, and is sent what came of it. In a thread the act simply
happens. In a task its blocking half happens in a thread for the database, and the code of an async function is awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from durable_django.engine.asides import Late, Threads
from durable_django.engine.ownership import Ownership

T = TypeVar("T")


class Act(Protocol):
    """Something that takes time: `act()` does it here, `act.aside(...)` without blocking the event loop."""

    def __call__(self) -> Any:
        """Do it in this thread."""

    async def aside(self, threads: Threads, late: Late) -> Any:
        """Do it without blocking the event loop; not at all if a late cancellation forbids it."""


Flow = Generator[Act, Any, T]


class Blocking:
    """An act that asks the database, in statements of the engine: a call with its arguments."""

    def __init__(self, func: Callable[..., Any], *args: Any) -> None:
        self.call = partial(func, *args)

    def __call__(self) -> Any:
        return self.call()

    async def aside(self, threads: Threads, late: Late) -> Any:
        """Do it in a thread for the database; also behind a late cancellation: what has ended is to be recorded."""
        return await late.outlast(threads(self.call))


class Nap:
    """An act that only waits; in a thread not longer than until the process begins to shut down."""

    def __init__(self, owner: Ownership, seconds: float) -> None:
        self.owner = owner
        self.seconds = seconds

    def __call__(self) -> None:
        self.owner.pause(self.seconds)
        self.owner.require_going_on()

    async def aside(self, _threads: Threads, late: Late) -> None:
        """Wait without a thread."""
        late.follow()
        await asyncio.sleep(self.seconds)
        self.owner.require_going_on()


class UserCode:
    """An act of the user: a function, or an async one that is awaited where the flow is driven in a task."""

    def __init__(self, call: Callable[[], Any], acall: Callable[[], Awaitable[Any]] | None = None) -> None:
        self.call = call
        self.acall = acall

    def __call__(self) -> Any:
        return self.call()

    async def aside(self, threads: Threads, late: Late) -> Any:
        """Await it; or call it in a thread, where nothing can interrupt it."""
        late.follow()
        if self.acall is not None:
            return await self.acall()
        return await late.outlast(threads(self.call, is_of_step=True))


def drive(flow: Flow[T]) -> T:
    """Drive a flow in this thread to its end."""
    act = _begin(flow)
    while not isinstance(act, _Returned):
        try:
            came = act()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the flow's
            act = _throw(flow, error)
        else:
            act = _send(flow, came)
    return cast("T", act.value)


async def adrive(flow: Flow[T], threads: Threads, late: Late) -> T:
    """
    Drive a flow in this task to its end.

    late  takes a cancellation that came in a blocking act; it follows at the next act that can be left out, if any
    """
    act = _begin(flow)
    while not isinstance(act, _Returned):
        try:
            came = await act.aside(threads, late)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the flow's
            act = _throw(flow, error)
        else:
            act = _send(flow, came)
    return cast("T", act.value)


class _Returned:
    def __init__(self, value: Any) -> None:
        self.value = value


def _begin(flow: Flow[Any]) -> Any:
    return _send(flow, None)


def _send(flow: Flow[Any], came: Any) -> Any:
    try:
        return flow.send(came)
    except StopIteration as end:
        return _Returned(end.value)


def _throw(flow: Flow[Any], error: BaseException) -> Any:
    try:
        return flow.throw(error)
    except StopIteration as end:
        return _Returned(end.value)
