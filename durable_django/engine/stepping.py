"""
One step: answered from its checkpoint, or run until it has an outcome, retries included.

A plain step's body runs outside any transaction and its outcome is recorded afterwards; atomic ones: atomicity.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction

from durable_django.base import payloads
from durable_django.base.interrupts import Interrupt
from durable_django.engine import atomicity, checkpoints, context, faults, retrying, transactions
from durable_django.engine.atomicity import MOST_RERUNS, Failed
from durable_django.engine.branches import Place
from durable_django.engine.calls import Call, StepSpec
from durable_django.engine.checkpoints import Taken
from durable_django.engine.context import Run
from durable_django.engine.driving import Blocking, Flow, Nap, UserCode, drive
from durable_django.exceptions import BrokenTransaction, PayloadError


def perform(spec: StepSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """
    Call a step: as a durable one in a workflow, as a part of the outer step in a step, else as an ordinary function.

    An atomic step that is called as an ordinary function runs in transaction.atomic(), joining the caller's. An async
    one gives something to be awaited wherever it is called in async code.
    """
    run = context.current_run()
    if run is None or context.current_step() is not None:
        return _call_plainly(spec, args, kwargs)
    if run.board is None or context.has_taken_places():
        return drive(_flow(run, _place_of(run, spec), spec, args, kwargs))
    if not spec.is_async:
        context.refuse_blocking(*_twin_of(spec))
    return aperform(spec, args, kwargs)


def aperform(spec: StepSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Any]:
    """Call a step from async code, whatever it is; its place is taken at the call, not when it is awaited."""
    if (refused := context.refused()) is not None:
        return refused
    run = context.current_run()
    if run is None or context.current_step() is not None:
        return _acall_plainly(spec, args, kwargs)
    place = _place_of(run, spec)
    if run.board is None:
        return _in_sync_run(drive(_flow(run, place, spec, args, kwargs)))
    return run.board.drive(lambda: _flow(run, place, spec, args, kwargs))


async def _in_sync_run(value: Any) -> Any:
    return value


def _twin_of(spec: StepSpec) -> tuple[str, str]:
    """Return what was called, and what is to be written in async code."""
    if spec.is_inline:
        return f"Step {spec.name!r}", "await arun_step(...)"
    if spec.kind == "step":
        return f"Step {spec.name!r}", f"await {spec.name}.acall(...)"
    if spec.kind.startswith("start"):
        return f"A start of {spec.name!r}", f"await {spec.name.rpartition('.')[2]}.a{spec.kind}(...)"
    return f"{spec.name}()", f"await a{spec.name}(...)"


def _place_of(run: Run, spec: StepSpec) -> Place:
    run.require_going_on(f"Step {spec.name!r}")
    return run.next_place()


def _call_plainly(spec: StepSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not spec.is_atomic:
        return spec.func(*args, **kwargs)
    if spec.is_async:
        return _acall_plainly(spec, args, kwargs)
    with transaction.atomic(using=context.alias_of_workflows()):
        return spec.func(*args, **kwargs)


async def _acall_plainly(spec: StepSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if spec.is_async and not spec.is_atomic:
        return await spec.func(*args, **kwargs)
    func = async_to_sync(spec.func) if spec.is_async else spec.func

    def call() -> Any:
        if not spec.is_atomic:
            return func(*args, **kwargs)
        with transaction.atomic(using=context.alias_of_workflows()):
            return func(*args, **kwargs)

    return await sync_to_async(call)()


def _flow(run: Run, place: Place, spec: StepSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Flow[Any]:
    try:
        recorded = checkpoints.recall(run, place, spec.name, spec.kind)
        if recorded is not None and recorded.is_finished:
            return (yield Blocking(checkpoints.answer, recorded, run))
        call, left = Call(run, spec, place, args, kwargs), 0.0
        if recorded is not None:
            call.retries, call.is_retrying = recorded.retries, True
            left = yield Blocking(retrying.seconds_left, call)
        return (yield from _until_outcome(call, left))
    except Interrupt as interrupt:
        run.note(interrupt)
        raise
    except Exception as error:
        run.note_outcome(error)
        raise


def _until_outcome(call: Call, pause: float) -> Flow[Any]:
    while True:
        try:
            yield from _pause(call, pause)
            with _watching(call):
                if call.spec.is_atomic:
                    return (yield UserCode(partial(_in_thread, call, partial(atomicity.run_atomic, call))))
                return (yield from _run_plain(call))
        except Failed as failed:
            error = failed.error
        except asyncio.CancelledError as cancelled:
            error = _cancelled_by(call, cancelled)
        delay = retrying.delay_after(call, error)
        if delay is None:
            return (yield Blocking(_fail, call, error))
        try:
            yield Blocking(retrying.retry_later, call, error, delay)
        except Taken:
            # An outcome got there first: that of a commit which nobody heard of.
            return (yield Blocking(_adopt, call))
        pause = delay


def _watching(call: Call) -> AbstractContextManager[None]:
    """Let the heartbeat time the call out; in an async run only while its body is in a thread, see _in_thread()."""
    return call.run.owner.timeouts.watching(call) if call.run.board is None else nullcontext()


def _in_thread(call: Call, act: Callable[[], Any]) -> Any:
    """Do it, timed out by the heartbeat; of an async run from here on, which a free thread was waited for."""
    if call.run.board is None:
        return act()
    with call.run.owner.timeouts.watching(call):
        return act()


def _cancelled_by(call: Call, cancelled: asyncio.CancelledError) -> Exception:
    """Return the error of a step whose task was cancelled before its body began, or until it is called again."""
    error = call.aborted_by(cancelled)
    if isinstance(error, Exception):
        return error
    raise error


def _pause(call: Call, left: float) -> Flow[None]:
    """Wait for the next call of a step: what is left of the time in its row."""
    if left > retrying.LONGEST_NAP_SECONDS:
        yield Blocking(retrying.wait, call)
    if left > 0:
        yield Nap(call.run.owner, left)


def _adopt(call: Call) -> Any:
    return checkpoints.answer(call.run.guard(checkpoints.adopt_when_answered, call.entry()), call.run)


def _run_plain(call: Call) -> Flow[Any]:
    """Run the body once more than the database makes it fail; record what comes of it."""
    value = yield from _body(call)
    return (yield Blocking(_record_value, call, value))


def _record_value(call: Call, value: Any) -> Any:
    try:
        text, value = call.run.guard(_round_trip, call, value)
    except PayloadError as error:
        raise Failed(error) from error
    return _record(call, output=text, value=value)


def _round_trip(call: Call, value: Any) -> tuple[str, Any]:
    """Encode the value and read it back as a replay will; a model instance is read from the database."""
    path = f"the result of step {call.spec.name!r}"
    run = call.run
    return faults.until_answered(
        run.alias, run.owner, "read a result back", lambda: payloads.round_trip(value, path=path)
    )


def _body(call: Call) -> Flow[Any]:
    reruns = 0
    while True:
        try:
            value = yield UserCode(partial(_in_thread, call, call.body), call.abody if call.spec.is_async else None)
        except Exception as error:
            _require_closed(call, error)
            reruns += 1
            if not faults.is_passing(error) or reruns > MOST_RERUNS:
                raise Failed(error) from error
            # The database failed the body's own queries. That says nothing about the work: run it again, as after a
            # crash, instead of recording a failure that would set off a refund.
            yield Blocking(atomicity.rerun_later, call, error, reruns)
            call.run.guard(call.run.owner.require_going_on)
        else:
            _require_closed(call)
            return value


def _require_closed(call: Call, error: Exception | None = None) -> None:
    """Roll back a transaction that the body has left open, which its record must not be written into, and fail it."""
    if transactions.close_left_open(call.run.alias, call.run.depth):
        advice = "End it, use `with transaction.atomic()`, or make the step atomic."
        what = "left a transaction of its own open"
        broken = BrokenTransaction(kind="Step", step=call.spec.name, what=what, advice=advice)
        broken.__cause__ = error
        raise Failed(broken)


def _record(call: Call, *, output: str | None = None, error: str | None = None, value: Any = None) -> Any:
    call.run.guard(call.require_in_time)
    adopted = checkpoints.record(call.entry(output=output, error=error))
    call.run.guard(call.require_in_time)
    return value if adopted is None else checkpoints.answer(adopted, call.run)


def _fail(call: Call, error: Exception) -> Any:
    """Record the last error and raise it; return the value if an earlier attempt recorded one."""
    final = retrying.final_error(call, error)
    recorded = _record(call, error=payloads.encode_error(final), value=_NOT_ADOPTED)
    if recorded is not _NOT_ADOPTED:
        return recorded
    raise final


_NOT_ADOPTED = object()
