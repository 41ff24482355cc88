"""What a workflow does besides calling steps: sleep, branch, and ask for values that a replay must find again."""

from __future__ import annotations

import random as randomness
import uuid
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from asgiref.sync import markcoroutinefunction

from durable_django.api.declaring import LONGEST_NAME, is_name
from durable_django.api.durations import moment_of, seconds_of
from durable_django.base import clock
from durable_django.engine import context, gathering, patching, sleeping, stepping
from durable_django.engine.calls import StepSpec
from durable_django.engine.gathering import Ended


def sleep(duration: float | timedelta) -> None:
    """
    Let the workflow sleep: the moment of waking is recorded once, on the database's clock.

    duration  seconds, or a timedelta, up to a century

    Nobody holds a thread meanwhile, unless it is a second or less. Raises OutsideWorkflow outside a workflow and in a
    step; TypeError, ValueError for what is no duration.
    """
    sleeping.sleep(seconds_of(duration, "duration"))


@markcoroutinefunction
def asleep(duration: float | timedelta) -> Coroutine[Any, Any, None]:
    """See sleep()."""
    return sleeping.asleep(seconds_of(duration, "duration"))


def sleep_until(moment: datetime) -> None:
    """
    Let the workflow sleep until a moment, by the database's clock; one that has passed is no wait.

    Raises as sleep() does; ValueError for a naive moment while USE_TZ is on.
    """
    sleeping.sleep(moment_of(moment, "moment"))


@markcoroutinefunction
def asleep_until(moment: datetime) -> Coroutine[Any, Any, None]:
    """See sleep_until()."""
    return sleeping.asleep(moment_of(moment, "moment"))


def gather(*calls: Callable[[], Any], return_exceptions: bool = False) -> list[Any]:
    """
    Run several branches and return their results in order.

    calls              each a callable without arguments, usually `partial(charge, order)`: a step, a workflow, or a
                       function that itself calls several steps
    return_exceptions  put errors among the results; otherwise the first one in order is raised, when all have ended

    Every branch numbers its own steps, so that a replay finds each its own, whatever finished first. A branch that
    waits holds up no other one. In a synchronous workflow branches take turns in its one thread; children, and
    branches of an async workflow, run at the same time. Raises OutsideWorkflow; TypeError for what cannot be called.
    """
    _require_callables(calls)
    return _results(gathering.gather(calls), return_exceptions=return_exceptions)


@markcoroutinefunction
def agather(*calls: Callable[[], Any], return_exceptions: bool = False) -> Coroutine[Any, Any, list[Any]]:
    """Run several branches of an async workflow at the same time, async or not: see gather()."""
    _require_callables(calls)
    return _aresults(gathering.agather([_awaitable(call) for call in calls]), return_exceptions=return_exceptions)


async def _aresults(gathered: Coroutine[Any, Any, list[Ended]], *, return_exceptions: bool) -> list[Any]:
    return _results(await gathered, return_exceptions=return_exceptions)


def _results(ended: list[Ended], *, return_exceptions: bool) -> list[Any]:
    if return_exceptions:
        return [each.value if each.error is None else each.error for each in ended]
    for each in ended:
        if each.error is not None:
            raise each.error
    return [each.value for each in ended]


def _require_callables(calls: Sequence[Any]) -> None:
    for number, call in enumerate(calls, 1):
        if not callable(call):
            message = (
                f"gather() takes callables without arguments, argument {number} is {call!r}. "
                "Write partial(charge, order), not charge(order), which has begun by then."
            )
            raise TypeError(message)


def _awaitable(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return the twin of a step or workflow, which an async workflow must not call directly."""
    if isinstance(call, partial) and hasattr(call.func, "acall"):
        return partial(call.func.acall, *call.args, **call.keywords)
    return getattr(call, "acall", call)


def patched(name: str) -> bool:
    """
    Return whether this run shall go the new way of code that was changed while workflows run.

    name  of the patch, one for each change

    True for a run that comes to this place for the first time, which is recorded as a step, and at its replays; False
    for histories that are already past it, which change in nothing. Raises OutsideWorkflow outside a workflow and in a
    step.
    """
    return patching.patched(_patch_of(name))


@markcoroutinefunction
def apatched(name: str) -> Coroutine[Any, Any, bool]:
    """See patched()."""
    return patching.apatched(_patch_of(name))


def deprecate_patch(name: str) -> None:
    """
    Stand where patched() stood once no history is older than the patch: only the new way is left in the code.

    Histories with and without the record of the patch both fit. Remove it when no workflow with one is live. Asks
    nothing of the database, hence is called as it is in async workflows, too. Raises as patched() does.
    """
    patching.deprecate_patch(_patch_of(name))


def _patch_of(name: Any) -> str:
    if not isinstance(name, str) or not is_name(name):
        message = f"The name of a patch must have 1 to {LONGEST_NAME} printable characters, got {name!r}."
        raise ValueError(message)
    return name


def now() -> datetime:
    """Return the present moment, recorded: every replay sees the same. Raises OutsideWorkflow outside a workflow."""
    return _value(_NOW)  # type: ignore[no-any-return]


def uuid4() -> uuid.UUID:
    """Return a random UUID, recorded: every replay sees the same. Raises OutsideWorkflow outside a workflow."""
    return _value(_UUID4)  # type: ignore[no-any-return]


def random() -> float:
    """Return a random number from 0 to 1, recorded: every replay sees the same. Raises OutsideWorkflow elsewhere."""
    return _value(_RANDOM)  # type: ignore[no-any-return]


@markcoroutinefunction
def anow() -> Coroutine[Any, Any, datetime]:
    """See now()."""
    return _avalue(_NOW)


@markcoroutinefunction
def auuid4() -> Coroutine[Any, Any, uuid.UUID]:
    """See uuid4()."""
    return _avalue(_UUID4)


@markcoroutinefunction
def arandom() -> Coroutine[Any, Any, float]:
    """See random()."""
    return _avalue(_RANDOM)


def _avalue(spec: StepSpec) -> Coroutine[Any, Any, Any]:
    context.require_inside(f"a{spec.name}()")
    return stepping.aperform(spec, (), {})


def _value(spec: StepSpec) -> Any:
    context.require_inside(f"{spec.name}()")
    return stepping.perform(spec, (), {})


_NOW = StepSpec(name="now", func=clock.wall_now, kind="value")
_UUID4 = StepSpec(name="uuid4", func=uuid.uuid4, kind="value")
_RANDOM = StepSpec(name="random", func=randomness.random, kind="value")
