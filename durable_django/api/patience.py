"""
Patience: waiting outside of workflows, where there is no row to suspend: look, pause, and look again.

It is written once, as a generator that yields the seconds to pause and returns the answer, and is run in a thread or
in an event loop. There each look takes a thread for a moment, and the pauses take none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from asgiref.sync import sync_to_async

from durable_django.base import clock

T = TypeVar("T")

Patience = Generator[float, None, T]

_SHORTEST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.25


def pauses(timeout: float | None) -> Iterator[float]:
    """Give out the seconds until the next look, longer and longer, until the time is over."""
    began, pause = clock.elapsed_seconds(), _SHORTEST_PAUSE_SECONDS
    while timeout is None or clock.elapsed_seconds() - began < timeout:
        left = pause if timeout is None else timeout - (clock.elapsed_seconds() - began)
        yield max(0.0, min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def patiently(waiting: Patience[T]) -> T:
    """Wait in this thread. Return the answer."""
    while not isinstance(came := _look(waiting), _Answer):
        time.sleep(came)
    return came.value


async def apatiently(waiting: Patience[T]) -> T:
    """Wait in the event loop. Return the answer."""
    look = sync_to_async(_look)
    while True:
        came: float | _Answer[T] = await look(waiting)
        if isinstance(came, _Answer):
            return came.value
        await asyncio.sleep(came)


@dataclass(frozen=True)
class _Answer(Generic[T]):
    value: T


def _look(waiting: Patience[T]) -> float | _Answer[T]:
    try:
        return next(waiting)
    except StopIteration as end:
        return _Answer(end.value)
