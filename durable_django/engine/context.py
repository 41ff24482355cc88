"""The current run and the current step of this thread, and what user code may know of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asgiref.sync import AsyncToSync
from django.contrib.auth import get_user_model
from django.db import router

from durable_django.base.interrupts import Interrupt
from durable_django.engine import faults, transactions
from durable_django.engine.ownership import Ownership
from durable_django.exceptions import InsideTransaction, OutsideWorkflow
from durable_django.models.step import Recorded
from durable_django.models.workflow import Workflow

#: So many of its steps' errors a workflow may keep and raise later; more would be kept in memory for nothing.
_MOST_OUTCOMES = 20


@dataclass(eq=False)
class Run:
    """
    One attempt while it executes.

    history    what earlier attempts recorded, by (branch, position)
    position   the last position that was given out on the main line
    interrupt  why the attempt ends; once set, every durable operation raises it again
    outcomes   the last errors that steps raised and that look like the database's trouble: they are recorded outcomes
    depth      how many atomic blocks were open when the workflow's function was called: 0, or a TestCase's own
    """

    workflow: Workflow
    owner: Ownership
    alias: str
    history: dict[tuple[str, int], Recorded] = field(default_factory=dict)
    position: int = 0
    interrupt: Interrupt | None = None
    outcomes: deque[BaseException] = field(default_factory=lambda: deque(maxlen=_MOST_OUTCOMES))
    depth: int = 0
    thread: int = field(default_factory=threading.get_ident)
    executor: object = field(default_factory=lambda: _executor())  # noqa: PLW0108 - defined below

    def is_outcome(self, error: BaseException) -> bool:
        """Whether a step has raised this very error."""
        return any(error is each for each in self.outcomes)

    def next_position(self) -> int:
        """Give out the next position: at the call, hence the same at every replay."""
        self.position += 1
        return self.position

    def require_going_on(self, operation: str) -> None:
        """Raise what forbids a durable operation here and now."""
        if self.interrupt is not None:
            raise self.interrupt
        if threading.get_ident() != self.thread:
            raise OutsideWorkflow(
                operation=operation,
                where=f"in the thread that runs workflow {self.workflow.pk!r}",
                advice="Steps of one workflow are numbered in the order of their calls, which threads do not keep.",
            )
        if _executor() is not self.executor:
            raise OutsideWorkflow(
                operation=operation,
                where=f"in the code of workflow {self.workflow.pk!r} itself",
                advice="Tasks wake in an order that a replay need not repeat. Put async_to_sync() into one step.",
            )
        if transactions.is_left_open(self.alias, self.depth):
            raise InsideTransaction(
                operation=operation,
                reason="a rollback of the workflow's own block would undo the checkpoint but not the effect.",
                advice="Move the block into the step, or make the step atomic: @step(atomic=True).",
            )
        self.guard(self.owner.require_going_on)

    def read(self, column: str) -> Any:
        """
        Return a column of the workflow that its claim has left out.

        A database that is away is waited for, since it is no error of the workflow's code. Not in a step: what fails
        there because of the database is run again as a whole.
        """
        if _step.get() is not None:
            return getattr(self.workflow, column)
        return self.guard(
            faults.until_answered, self.alias, self.owner, "read a workflow", lambda: getattr(self.workflow, column)
        )

    def guard(self, act: Any, *args: Any) -> Any:
        """Call something and remember the interrupt it raises, so that the unwinding code cannot go on past it."""
        try:
            return act(*args)
        except Interrupt as interrupt:
            self.interrupt = interrupt
            raise


@dataclass(frozen=True)
class StepInfo:
    """
    What a step may know of itself: see current_step().

    attempt          number of this call of the step, from 1; counts its retries
    idempotency_key  at most 255 ASCII characters; the same at every retry, replay, recovery and resume
    """

    name: str
    position: int
    attempt: int
    idempotency_key: str


@dataclass(frozen=True)
class WorkflowInfo:
    """What a workflow may know of itself: see current_workflow()."""

    id: str
    name: str
    attempt: int
    started_by: str
    _run: Run = field(repr=False, compare=False)

    @property
    def attributes(self) -> dict[str, Any]:
        """What using(attributes=) has given; the first use in an attempt asks the database."""
        return dict(self._run.read("attributes"))

    @property
    def deadline(self) -> datetime | None:
        """The moment at which it is cancelled, None without a timeout; the first use asks the database."""
        moment: datetime | None = self._run.read("deadline")
        return moment

    @property
    def user(self) -> Any:
        """The user given to using(user=), read when asked for; None if there was none or it is gone."""
        if not self.started_by:
            return None
        return get_user_model()._default_manager.filter(pk=self.started_by).first()


def _executor() -> object:
    """Return what tells code inside async_to_sync() from code outside of it, None outside."""
    return getattr(AsyncToSync.executors, "current", None)


_run: ContextVar[Run | None] = ContextVar("durable_django_run", default=None)
_step: ContextVar[StepInfo | None] = ContextVar("durable_django_step", default=None)


def alias_of_workflows() -> str:
    """Return the database of the workflow tables, for writing and for every read that decides."""
    return router.db_for_write(Workflow)


def current_run() -> Run | None:
    """Return the attempt that this code belongs to, or None outside a workflow."""
    return _run.get()


def current_step() -> StepInfo | None:
    """Return name, position, attempt and idempotency_key of the running step; None outside a step."""
    return _step.get()


def current_workflow() -> WorkflowInfo | None:
    """Return id, name, attempt, attributes, user and deadline of the running workflow; None outside."""
    run = _run.get()
    if run is None:
        return None
    row = run.workflow
    return WorkflowInfo(
        id=row.pk,
        name=row.name,
        attempt=row.attempt,
        started_by=row.started_by,
        _run=run,
    )


@contextmanager
def running(run: Run) -> Iterator[None]:
    """Make a run the current one of this thread."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


@contextmanager
def stepping(info: StepInfo) -> Iterator[None]:
    """Make a step the current one of this thread."""
    token = _step.set(info)
    try:
        yield
    finally:
        _step.reset(token)
