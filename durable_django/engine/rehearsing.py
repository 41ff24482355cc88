"""
Rehearsing: does the code of today fit the history of a workflow? Its function is called, answered from its rows alone.

It ends where the history does: no step is run, nothing is waited for, and nothing is written. What the workflow's own
code writes through the ORM between its steps is rolled back; whatever else it does between them, it does, as in every
replay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connections, transaction

from durable_django.base import payloads, registry
from durable_django.base.interrupts import Diverged, Interrupt
from durable_django.engine import context
from durable_django.engine.asides import OneThread
from durable_django.engine.boards import Board
from durable_django.engine.context import Run
from durable_django.engine.ownership import Ownership
from durable_django.exceptions import NotReplayable, PayloadError, UnknownWorkflow
from durable_django.models.step import Recorded, Step
from durable_django.models.workflow import Workflow

_OWNER_ID = "rehearsal"
#: What stands for the call that is missing, in the error of code that ends before its history does.
_THE_END = "nothing more"


def rehearse(workflow: Workflow, alias: str) -> Exception | None:
    """
    Return why the code does not fit the history of a workflow; None if it fits, as far as the history goes.

    NotReplayable for another step than the recorded one, or none, where the history goes on; PayloadError for what
    cannot be read; UnknownWorkflow; TypeError for arguments that the function does not take.
    """
    try:
        registered = registry.workflows.get(workflow.name)
        args, kwargs = payloads.decode_call(workflow.arguments)
        registered.signature.bind(*args, **kwargs)
    except (UnknownWorkflow, PayloadError, TypeError) as refusal:
        return refusal
    history = Step.objects.using(alias).recorded(workflow.pk)

    def call() -> Any:
        return registered.func(*args, **kwargs)

    with transaction.atomic(using=alias):
        try:
            if registered.is_async:
                run, error = async_to_sync(_acall)(workflow, alias, history, call)
            else:
                run, error = _call(workflow, alias, history, call)
        finally:
            transaction.set_rollback(True, using=alias)
    return _judge(run, error)


def _run(workflow: Workflow, alias: str, history: dict[tuple[str, int], Recorded]) -> Run:
    """Return a run that is only rehearsed. Its main line belongs to the thread and task that makes it."""
    depth = len(connections[alias].atomic_blocks)
    return Run(workflow, Ownership(_OWNER_ID), alias, history=history, depth=depth, rehearsed=set())


def _call(workflow: Workflow, alias: str, history: Any, call: Callable[[], Any]) -> tuple[Run, BaseException | None]:
    """Return the run when its code has ended, and what came out of that instead of a result."""
    run = _run(workflow, alias, history)
    with context.running(run):
        try:
            call()
        except (Exception, Interrupt) as error:  # noqa: BLE001 - the run says what an interrupt means
            return run, _noted(run, error)
    return run, None


async def _acall(
    workflow: Workflow, alias: str, history: Any, call: Callable[[], Any]
) -> tuple[Run, BaseException | None]:
    run = _run(workflow, alias, history)
    board = run.board = Board(run, OneThread())
    with context.running(run):
        try:
            await call()
        except BaseException as error:
            if run.interrupt is None and not isinstance(error, Exception):
                raise
            return run, _noted(run, error)
        finally:
            while board.task.cancelling():
                board.task.uncancel()
            await board.leave()
    return run, None


def _noted(run: Run, error: BaseException) -> BaseException:
    """Keep an interrupt for the judgement."""
    if isinstance(error, Interrupt):
        run.note(error)
    return error


def _judge(run: Run, error: BaseException | None) -> Exception | None:
    if isinstance(run.interrupt, Diverged):
        return run.interrupt.error
    if run.interrupt is not None:
        return None
    # The code has ended, well or badly: then nothing that was recorded may be left.
    left = [
        (place, recorded)
        for place, recorded in sorted(run.history.items())
        if recorded.is_finished and place not in (run.rehearsed or ())
    ]
    if not left:
        return None
    (branch, position), recorded = left[0]
    label = f"{branch}.{position}" if branch else position
    called = _THE_END if error is None else f"{_THE_END}, but raises {type(error).__name__}: {error}"
    return NotReplayable(workflow_id=run.workflow.pk, position=label, recorded=recorded.name, called=called)
