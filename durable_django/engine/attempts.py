"""
One claimed attempt, from claim to outcome: the only room that catches interrupts.

    prepare -> call -> settle

`settle` writes what became of it, fenced: an outcome, a retry, or that the row goes on elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.db import Error, connections, transaction

from durable_django import signals
from durable_django.base import payloads, registry
from durable_django.base.interrupts import (
    Crashed,
    Diverged,
    EngineFailed,
    Interrupt,
    LeaseLost,
    LetGo,
    Released,
    Stopped,
    Suspended,
)
from durable_django.base.registry import Registered
from durable_django.engine import context, faults, swallowed, transactions, wakeups
from durable_django.engine.asides import Late, OneThread, Threads
from durable_django.engine.boards import Board
from durable_django.engine.context import Run
from durable_django.engine.driving import Blocking, Flow, UserCode, adrive, drive
from durable_django.engine.ownership import Ownership
from durable_django.exceptions import BrokenTransaction, PayloadError, UnknownWorkflow, WorkflowFailed
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow


def attempt(workflow: Workflow, owner: Ownership, alias: str) -> None:
    """
    Run one claimed workflow in this thread until it ends, waits or has to let go. Return when the row says so.

    An async one gets an event loop for the time, and this thread for its questions to the database. Raises
    KeyboardInterrupt if user code raised it (the workflow is given back first), and Crashed in tests.
    """
    with owner.sessions.open(alias):
        if _is_async(workflow):
            async_to_sync(_attempt_apart)(workflow, owner, alias)
            return
        run = Run(workflow, owner, alias, depth=_depth(alias))
        with context.running(run):
            drive(_flow(run))


async def aattempt(workflow: Workflow, owner: Ownership, alias: str, threads: Threads) -> None:
    """Run one claimed async workflow in this task: see attempt()."""
    if not _is_async(workflow):
        await threads(partial(attempt, workflow, owner, alias), is_of_step=True)
        return
    run = Run(workflow, owner, alias, depth=await threads(partial(_depth, alias)))
    run.board = owner.boards[workflow.pk] = Board(run, threads)
    try:
        with context.running(run):
            await adrive(_flow(run), threads, Late())
    finally:
        # One that was suspended may have been woken, and claimed again, before its code had ended.
        if owner.boards.get(workflow.pk) is run.board:
            del owner.boards[workflow.pk]


async def _attempt_apart(workflow: Workflow, owner: Ownership, alias: str) -> None:
    """
    Run it in a task of its own. If whoever waits for it is cancelled, it is interrupted, and given back.

    In the task itself a cancellation would be the workflow's own, as that of asyncio.timeout() is.
    """
    running = asyncio.create_task(aattempt(workflow, owner, alias, OneThread()))
    try:
        await asyncio.wait([running])
    except asyncio.CancelledError as error:
        board = owner.boards.get(workflow.pk)
        if board is not None:
            board.end(Stopped(error))
        else:
            running.cancel()
    await Late().outlast(running)


def _is_async(workflow: Workflow) -> bool:
    """Whether it runs in an event loop: the code decides, which may have changed since the row was made."""
    name = workflow.name
    return registry.workflows.get(name).is_async if registry.workflows.knows(name) else workflow.is_async


def _depth(alias: str) -> int:
    return len(connections[alias].atomic_blocks)


def _flow(run: Run) -> Flow[None]:
    owner, key = run.owner, (run.workflow.pk, run.workflow.attempt)
    owner.held.add(key)
    try:
        settlement = yield from _execute(run)
        yield Blocking(_settle, run, settlement)
    except Crashed:
        raise
    except Interrupt as interrupt:
        yield Blocking(_end_interrupted, run, interrupt)
        if isinstance(interrupt, Stopped):
            raise interrupt.error from None
    finally:
        owner.put_down(key)


def _execute(run: Run) -> Flow[partial[None]]:
    """Call the workflow's function. Return how to settle what came of it, or raise an Interrupt."""
    registered, args, kwargs = yield Blocking(run.guard, _begin, run)
    call = partial(registered.func, *args, **kwargs)
    try:
        value = yield UserCode(partial(_call, run, call), partial(_acall, run, call) if run.board is not None else None)
    except KeyboardInterrupt as error:
        raise Stopped(error) from error
    except asyncio.CancelledError as error:
        _require_not_swallowed(run)
        raise Stopped(error) from error
    except Exception as error:  # noqa: BLE001 - whatever user code raises is the outcome
        _tell_of_swallowing(run)
        _require_not_swallowed(run)
        return partial(_settle_error, run, registered, error)
    _tell_of_swallowing(run)
    _require_not_swallowed(run)
    return partial(_settle_value, run, registered, value)


def _call(run: Run, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (Exception, Interrupt, KeyboardInterrupt):
        raise
    except BaseException as error:
        _require_not_swallowed(run)
        raise _left_by(run, error) from error


async def _acall(run: Run, call: Callable[[], Awaitable[Any]]) -> Any:
    """Await it. An interrupt may come out of it as a cancellation, or in a group of exceptions."""
    try:
        return await _awaited(run, call)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        _require_not_swallowed(run)
        if isinstance(error, Interrupt):
            raise
        raise _left_by(run, error) from error


async def _awaited(run: Run, call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        with nullcontext() if run.board is None else run.board.threads.lending():
            return await call()
    finally:
        task = asyncio.current_task()
        while task is not None and task.cancelling():
            task.uncancel()
        if run.board is not None:
            await run.board.leave()


def _left_by(run: Run, error: BaseException) -> WorkflowFailed:
    """Return the failure of a workflow that SystemExit or its like has left: it ends the workflow, not the worker."""
    said = payloads.describe_error(payloads.encode_error(error))
    facts = {"type": type(error).__name__, "error": said.message, "traceback": said.traceback}
    return WorkflowFailed(workflow_id=run.workflow.pk, **facts)


def _settle(run: Run, settlement: partial[None]) -> None:
    _settlement_after(run, settlement)()


def _settlement_after(run: Run, settlement: partial[None]) -> partial[None]:
    """Return the settlement, or a failure if the workflow has returned from a transaction of its own still open."""
    if not transactions.close_left_open(run.alias, run.depth) or settlement.func is not _settle_value:
        return settlement
    error = BrokenTransaction(
        kind="Workflow",
        step=run.workflow.name,
        what="left a transaction of its own open",
        advice="End it, or use `with transaction.atomic()` in a step.",
    )
    return partial(_settle_error, run, registry.workflows.get(run.workflow.name), error)


def _require_not_swallowed(run: Run) -> None:
    """Raise the interrupt again that user code caught: its `except BaseException` cannot keep the thread."""
    if run.interrupt is not None:
        raise run.interrupt


def _tell_of_swallowing(run: Run) -> None:
    """Tell of code that has ended as if nothing had been raised; that of an async run may not have been reached yet."""
    if run.interrupt is not None and run.board is None:
        swallowed.tell(run, run.interrupt)


# -- prepare --------------------------------------------------------------------------------------------------------


def _begin(run: Run) -> tuple[Registered, tuple[Any, ...], dict[str, Any]]:
    _send(signals.workflow_started, run)
    return _prepare(run)


def _prepare(run: Run) -> tuple[Registered, tuple[Any, ...], dict[str, Any]]:
    """Return the function and its arguments, with the history loaded; a row that does not fit the code diverges."""
    workflow = run.workflow
    try:
        registered = registry.workflows.get(workflow.name)
        args, kwargs = faults.until_answered(
            run.alias, run.owner, "read the arguments", lambda: payloads.decode_call(workflow.arguments)
        )
        registered.signature.bind(*args, **kwargs)
    except (UnknownWorkflow, PayloadError) as error:
        raise Diverged(error) from error
    except TypeError as error:
        wrong = TypeError(f"{workflow.name} does not take the arguments that are stored: {error}.")
        raise Diverged(wrong) from error
    if workflow.has_history:
        steps = Step.objects.using(run.alias)
        run.history = faults.until_answered(
            run.alias, run.owner, "load the history", lambda: steps.recorded(workflow.pk)
        )
    return registered, args, kwargs


# -- settle ---------------------------------------------------------------------------------------------------------


def _settle_value(run: Run, registered: Registered, value: Any) -> None:
    try:
        output = payloads.encode(value, path=f"the result of workflow {run.workflow.pk!r}")
    except PayloadError as error:
        _settle_error(run, registered, error)
        return
    if _write(run, "store the result", lambda: run.workflow.succeed(output)):
        _send(signals.workflow_succeeded, run)


def _settle_error(run: Run, registered: Registered, error: Exception) -> None:
    workflow = run.workflow
    is_trouble = faults.is_passing(error) and not run.is_outcome(error)
    if is_trouble and workflow.recoveries < workflow.max_recoveries:
        # The workflow's own queries failed because the database did: that is no outcome.
        _write(run, "give a workflow back", workflow.step_back)
        _send(signals.workflow_let_go, run, reason=f"the database failed: {error}")
        return
    text = payloads.encode_error(error)
    # A result that cannot be stored is not worth a retry: it would only repeat the workflow's own effects.
    retry = None if isinstance(error, PayloadError) else registered.retry
    delay = retry.delay_after(workflow.failures + 1, error) if retry else None
    if delay is None:
        if _write(run, "store the error", lambda: workflow.fail(text)):
            _send(signals.workflow_failed, run, error=error)
    elif _write(run, "put a workflow back", lambda: _retry(run, delay, text)):
        _send(signals.workflow_retrying, run, error=error, delay_seconds=delay)


def _retry(run: Run, delay: float, text: str) -> bool:
    """Put the whole workflow back: the errors at the end of its history run again, what succeeded is replayed."""
    with transaction.atomic(using=run.alias):
        if not run.workflow.retry(delay, text):
            return False
        Step.objects.using(run.alias).forget_failures([run.workflow.pk])
        return True


def _write(run: Run, what: str, write: Callable[[], bool]) -> bool:
    """Write the outcome while the lease stands; let go if the fence does not hold. Whether it was written."""
    if faults.until_answered(run.alias, run.owner, what, write):
        return True
    if run.late is not None:
        faults.until_answered(run.alias, run.owner, "record what has ended", run.late)
    # A lost acknowledgement looks the same as a lost fence, and needs the same: nothing is held any more.
    faults.until_answered(run.alias, run.owner, "let go", run.workflow.let_go)
    return False


def _end_interrupted(run: Run, interrupt: Interrupt) -> None:
    transactions.close_left_open(run.alias, run.depth)
    try:
        _ENDINGS[type(interrupt)](run, interrupt)
    except (Error, Interrupt) as error:
        # Nothing more can be written now: the workflow is put back as a stray, or when the lease has run out.
        run.owner.has_strays.set()
        _send(signals.workflow_let_go, run, reason=f"{type(interrupt).__name__}, then {error!r}")


def _end_suspended(run: Run, _interrupt: Interrupt) -> None:
    _send(signals.workflow_suspended, run)


def _end_released(run: Run, _interrupt: Interrupt) -> None:
    if _write(run, "give a workflow back", run.workflow.release):
        wakeups.ring(run.alias)
    _send(signals.workflow_let_go, run, reason="the worker shuts down")


def _end_let_go(run: Run, _interrupt: Interrupt) -> None:
    if faults.until_answered(run.alias, run.owner, "let go", run.workflow.let_go):
        # It may have been resumed meanwhile, and only waited for this attempt.
        wakeups.ring(run.alias)
    _send(signals.workflow_let_go, run, reason="paused, cancelled or past its deadline")


def _end_lease_lost(run: Run, _interrupt: Interrupt) -> None:
    # Normally a later attempt owns the row and the fence refuses this. But if it is still this attempt's, and the
    # process is alive, no janitor would ever put it back. If the lease has passed by the process's own clock, a late
    # heartbeat may still extend the row's.
    if run.owner.has_passed():
        run.owner.has_strays.set()
    else:
        run.workflow.release()
    _send(signals.workflow_let_go, run, reason="the lease was lost")


def _end_diverged(run: Run, interrupt: Interrupt) -> None:
    error = interrupt.error if isinstance(interrupt, Diverged) else interrupt
    if _write(run, "pause a workflow", lambda: run.workflow.diverge(str(error))):
        _send(signals.workflow_paused, run, error=error)


def _end_stopped(run: Run, interrupt: Interrupt) -> None:
    error = interrupt.error if isinstance(interrupt, Stopped) else interrupt
    if isinstance(error, KeyboardInterrupt):
        # As after a lost worker: code that raises this each time must not end worker after worker.
        is_given_back = _write(run, "give a workflow back", lambda: run.workflow.step_back(least_seconds=0))
        reason = "its code raised KeyboardInterrupt"
    else:
        is_given_back = _write(run, "give a workflow back", run.workflow.release)
        reason = "nobody waits for the call any more"
    if is_given_back:
        wakeups.ring(run.alias)
    _send(signals.workflow_let_go, run, reason=reason)


def _end_failed(run: Run, interrupt: Interrupt) -> None:
    run.workflow.step_back()
    _send(signals.workflow_let_go, run, reason=f"the engine's own statement failed: {interrupt}")


_ENDINGS: dict[type[Interrupt], Callable[[Run, Interrupt], None]] = {
    Suspended: _end_suspended,
    Released: _end_released,
    LetGo: _end_let_go,
    LeaseLost: _end_lease_lost,
    Diverged: _end_diverged,
    EngineFailed: _end_failed,
    Stopped: _end_stopped,
}


def _send(signal: Any, run: Run, **facts: Any) -> None:
    row = run.workflow
    signal.send_robust(
        sender=row.name, workflow_id=row.pk, name=row.name, queue=row.queue, attempt=row.attempt, **facts
    )
