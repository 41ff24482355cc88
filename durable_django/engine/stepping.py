"""
One step: answered from its checkpoint, or run until it has an outcome, retries included.

A plain step's body runs outside any transaction and its outcome is recorded afterwards; atomic ones: atomicity.py.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from durable_django.base import payloads
from durable_django.engine import atomicity, checkpoints, context, faults, retrying, transactions
from durable_django.engine.atomicity import MOST_RERUNS, Failed
from durable_django.engine.calls import Call, StepSpec
from durable_django.engine.checkpoints import Taken
from durable_django.engine.context import Run
from durable_django.exceptions import BrokenTransaction, PayloadError


def perform(spec: StepSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """
    Call a step: as a durable one in a workflow, as a part of the outer step in a step, else as an ordinary function.

    An atomic step that is called as an ordinary function runs in transaction.atomic(), joining the caller's.
    """
    run = context.current_run()
    if run is not None and context.current_step() is None:
        return _perform(run, spec, args, kwargs)
    if not spec.is_atomic:
        return spec.func(*args, **kwargs)
    with transaction.atomic(using=context.alias_of_workflows()):
        return spec.func(*args, **kwargs)


def _perform(run: Run, spec: StepSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    run.require_going_on(f"Step {spec.name!r}")
    position = run.next_position()
    recorded = checkpoints.recall(run, position, spec.name, spec.kind)
    try:
        if recorded is not None and recorded.is_finished:
            return checkpoints.answer(recorded, run)
        call = Call(run, spec, position, args, kwargs)
        if recorded is not None:
            call.retries, call.is_retrying = recorded.retries, True
            run.guard(retrying.wait_for_retry, call)
        return run.guard(_until_outcome, call)
    except Exception as error:
        run.outcomes.extend(each for each in (error, error.__cause__) if each is not None and faults.is_passing(each))
        raise


def _until_outcome(call: Call) -> Any:
    while True:
        try:
            with call.run.owner.timeouts.watching(call):
                return atomicity.run_atomic(call) if call.spec.is_atomic else _run_plain(call)
        except Failed as failed:
            error = failed.error
        delay = retrying.delay_after(call, error)
        if delay is None:
            return _fail(call, error)
        try:
            call.run.guard(retrying.retry_later, call, error, delay)
        except Taken:
            # An outcome got there first: that of a commit which nobody heard of.
            return checkpoints.answer(call.run.guard(checkpoints.adopt_when_answered, call.entry()), call.run)


def _run_plain(call: Call) -> Any:
    """Run the body once more than the database makes it fail; record what comes of it."""
    value = _body(call)
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


def _body(call: Call) -> Any:
    reruns = 0
    while True:
        try:
            value = call.body()
        except Exception as error:
            _require_closed(call, error)
            reruns += 1
            if not faults.is_passing(error) or reruns > MOST_RERUNS:
                raise Failed(error) from error
            # The database failed the body's own queries. That says nothing about the work: run it again, as after a
            # crash, instead of recording a failure that would set off a refund.
            atomicity.rerun_later(call, error, reruns)
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
