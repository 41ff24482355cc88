"""
One claimed attempt, from claim to outcome: the only room that catches interrupts.

    prepare -> call -> settle

`settle` writes what became of it, fenced: an outcome, a retry, or that the row goes on elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

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
    Suspended,
)
from durable_django.base.registry import Registered
from durable_django.engine import context, faults, transactions, wakeups
from durable_django.engine.context import Run
from durable_django.engine.ownership import Ownership
from durable_django.exceptions import BrokenTransaction, PayloadError, UnknownWorkflow, WorkflowFailed
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow


def attempt(workflow: Workflow, owner: Ownership, alias: str) -> None:
    """
    Run one claimed workflow until it ends, waits or has to let go. Return when the row says so.

    Raises KeyboardInterrupt if user code raised it (the workflow is given back first), and Crashed in tests.
    """
    run = Run(workflow, owner, alias, depth=len(connections[alias].atomic_blocks))
    owner.held.add(workflow.pk)
    _send(signals.workflow_started, run)
    try:
        with context.running(run), owner.sessions.open(alias):
            settlement = _execute(run)
        _settlement_after(run, settlement)()
    except Crashed:
        raise
    except Interrupt as interrupt:
        _end_interrupted(run, interrupt)
    finally:
        owner.held.discard(workflow.pk)


def _execute(run: Run) -> partial[None]:
    """Call the workflow's function. Return how to settle what came of it, or raise an Interrupt."""
    registered, args, kwargs = run.guard(_prepare, run)
    try:
        value = registered.func(*args, **kwargs)
    except Interrupt:
        raise
    except KeyboardInterrupt as error:
        _give_back(run, error)
        raise
    except Exception as error:  # noqa: BLE001 - whatever user code raises is the outcome
        _require_not_swallowed(run)
        return partial(_settle_error, run, registered, error)
    except BaseException as error:  # noqa: BLE001 - SystemExit and its like end the workflow, not the worker
        said = payloads.describe_error(payloads.encode_error(error))
        facts = {"type": type(error).__name__, "error": said.message, "traceback": said.traceback}
        failure = WorkflowFailed(workflow_id=run.workflow.pk, **facts)
        failure.__cause__ = error
        _require_not_swallowed(run)
        return partial(_settle_error, run, registered, failure)
    _require_not_swallowed(run)
    return partial(_settle_value, run, registered, value)


def _give_back(run: Run, error: KeyboardInterrupt) -> None:
    """Give a workflow back as after a lost worker: code that raises this each time must not end worker after worker."""
    transactions.close_left_open(run.alias, run.depth)
    try:
        if _write(run, "give a workflow back", lambda: run.workflow.step_back(least_seconds=0)):
            wakeups.ring(run.alias)
    except (Error, Interrupt):
        run.owner.has_strays.set()
    _send(signals.workflow_let_go, run, reason=f"its code raised {type(error).__name__}")


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


# -- prepare --------------------------------------------------------------------------------------------------------


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
}


def _send(signal: Any, run: Run, **facts: Any) -> None:
    row = run.workflow
    signal.send_robust(
        sender=row.name, workflow_id=row.pk, name=row.name, queue=row.queue, attempt=row.attempt, **facts
    )
