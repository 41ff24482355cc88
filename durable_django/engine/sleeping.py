"""Durable sleep: the moment of waking is recorded once, on the database's clock; nobody holds a thread until then."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from durable_django.base import payloads
from durable_django.engine import context, stepping, waits
from durable_django.engine.calls import StepSpec
from durable_django.engine.retrying import LONGEST_NAP_SECONDS
from durable_django.engine.waits import Answer, Wait


class Sleep(Wait):
    """A call that waits for nothing but time."""

    def look(self) -> None:
        """Nothing but time is waited for."""

    def at_end(self) -> Answer:
        """Return what ends every sleep: nothing."""
        return Answer(output=payloads.encode(None))


def sleep(until: float | datetime) -> None:
    """
    Let the workflow sleep for so many seconds, or until a moment.

    Up to a second holds the thread, and is slept anew after a crash; more suspends.
    """
    context.require_run("sleep()")
    if _is_nap(until):
        stepping.perform(_NAP, (until,), {})
    else:
        _wait(until)


def asleep(until: float | datetime) -> Coroutine[Any, Any, None]:
    """Let an async workflow sleep: see sleep(). Up to a second is slept in the event loop."""
    if (refused := context.refused()) is not None:
        return refused
    run = context.require_run("asleep()")
    if _is_nap(until):
        return stepping.aperform(_ANAP, (until,), {})
    return run.delegated(_wait, until)


def _is_nap(until: float | datetime) -> bool:
    return isinstance(until, float) and until <= LONGEST_NAP_SECONDS


def _wait(until: float | datetime) -> None:
    run = context.require_run("sleep()")
    waits.perform(Sleep(run=run, place=run.next_place(), name="sleep", kind="sleep", until=until))


def _nap(seconds: float) -> None:
    run, _step = context.current_place()
    run.owner.pause(seconds)
    run.guard(run.owner.require_going_on)


async def _anap(seconds: float) -> None:
    run, _step = context.current_place()
    await asyncio.sleep(seconds)
    run.guard(run.owner.require_going_on)


_NAP = StepSpec(name="sleep", func=_nap, kind="sleep")
_ANAP = StepSpec(name="sleep", func=_anap, kind="sleep")
