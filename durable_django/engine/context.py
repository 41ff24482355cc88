"""The current run, branch and step of this code, and what user code may know of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from django.contrib.auth import get_user_model
from django.db import router

from durable_django.base import ids, records, tracing
from durable_django.base.interrupts import Interrupt, LeaseLost, Parked
from durable_django.engine import faults, swallowed, transactions
from durable_django.engine.branches import Branch, Place
from durable_django.engine.ownership import Ownership
from durable_django.exceptions import InsideTransaction, OutsideWorkflow
from durable_django.models import locks
from durable_django.models.step import Recorded
from durable_django.models.workflow import Workflow

if TYPE_CHECKING:
    from durable_django.engine.boards import Board

#: So many of its steps' errors a workflow may keep and raise later; more would be kept in memory for nothing.
_MOST_OUTCOMES = 20
_NOTHING = nullcontext()


T = TypeVar("T")


@dataclass(eq=False)
class Run:
    """
    One attempt while it executes.

    history    what is recorded, by place
    main       the main line of calls
    interrupt  why the attempt ends; once set, every durable operation raises it again
    outcomes   the last errors that steps raised and that look like the database's trouble: they are recorded outcomes
    depth      how many atomic blocks were open when the workflow's function was called: 0, or a TestCase's own
    board      the operations of an async run
    late       records what has ended, if the outcome is refused because the workflow was paused or cancelled meanwhile
    live       children that had not ended when they were started or last looked at, in this attempt
    has_swallowed  its code has caught an interrupt and gone on, which was told of
    reached    how far earlier attempts have come on each line of calls, once somebody has asked: see patching.py
    rehearsed  the places that a rehearsal has come to, see engine/rehearsing.py; None if this is a real attempt
    """

    workflow: Workflow
    owner: Ownership
    alias: str
    history: dict[tuple[str, int], Recorded] = field(default_factory=dict)
    main: Branch = field(default_factory=Branch)
    interrupt: Interrupt | None = None
    outcomes: deque[BaseException] = field(default_factory=lambda: deque(maxlen=_MOST_OUTCOMES))
    depth: int = 0
    board: Board | None = None
    late: Callable[[], object] | None = None
    live: set[str] = field(default_factory=set)
    has_swallowed: bool = False
    reached: dict[str, int] | None = None
    rehearsed: set[tuple[str, int]] | None = None

    def is_outcome(self, error: BaseException) -> bool:
        """Whether a step has raised this very error."""
        return any(error is each for each in self.outcomes)

    def note_outcome(self, error: BaseException) -> None:
        """Remember an error that a step raised, if it looks like the database's trouble; its cause may, too."""
        self.outcomes.extend(each for each in (error, error.__cause__) if each is not None and faults.is_passing(each))

    @property
    def branch(self) -> Branch:
        """The line of calls that this code is on."""
        return _branch.get() or self.main

    @property
    def is_alone(self) -> bool:
        """Whether nothing else of the run goes on when this code waits."""
        return self.board is None and self.branch is self.main

    def next_place(self) -> Place:
        """Give out the next place: at the call, hence the same at every replay."""
        taken = _taken.get()
        return self.branch.next_place() if taken is None else taken.popleft()

    def require_going_on(self, operation: str) -> None:
        """Raise what forbids a durable operation here and now."""
        branch = self.branch
        interrupt = self.interrupt or branch.interrupt
        is_in_loop = self.board is not None and not has_taken_places()
        if interrupt is not None:
            swallowed.refuse(self, branch, interrupt, is_in_loop=is_in_loop)
            raise interrupt
        if _taken.get() is None:
            branch.require_own_seat(operation, self.workflow.pk)
        # In an event loop no block can be open: Django refuses one there.
        if not is_in_loop and transactions.is_left_open(self.alias, self.depth):
            raise InsideTransaction(
                operation=operation,
                reason="a rollback of the workflow's own block would undo the checkpoint but not the effect.",
                advice="Move the block into the step, or make the step atomic: @step(atomic=True).",
            )
        self.guard(self.owner.require_going_on)

    def delegated(self, func: Callable[..., T], *args: Any, places: int = 1) -> Coroutine[Any, Any, T]:
        """
        Let a thread do what blocks, on behalf of this code of an async run, and return what is to be awaited.

        places  how many durable operations the function makes; their places are taken now
        """
        board = self.board
        if board is None:
            refuse_awaiting(getattr(func, "__name__", "This"))
        taken = [self.next_place() for _number in range(places)]

        def act() -> T:
            with having_taken(taken):
                return func(*args)

        return board.ask(act)

    def lock_row(self, waking: str = "") -> Workflow:
        """
        Lock the row, and who waits for what is brought, until the transaction ends. Return what the row says now.

        Raises LeaseLost if the row is no longer this attempt's: whatever else it would write comes too late.
        """
        row = locks.lock_with_waiting(self.workflow, waking) if waking else locks.lock_own(self.workflow)
        if row is None:
            self.interrupt = LeaseLost()
            raise self.interrupt
        return row

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
            self.note(interrupt)
            raise

    def note(self, interrupt: Interrupt) -> None:
        """Remember an interrupt; of an async run, an operation that is parked holds up nothing else."""
        if not isinstance(interrupt, Parked):
            self.interrupt = interrupt
        elif self.board is None:
            self.branch.interrupt = interrupt


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
    place: Place = field(default=Place("", 0), repr=False, compare=False)
    kind: str = field(default="step", repr=False, compare=False)
    _given: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def key_of(self, *parts: str) -> str:
        """
        Return a key for something that this call starts or sends: another call that does the same makes the same key.

        parts  what it is; equal ones are numbered
        """
        digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        self._given[digest] += 1
        return ids.shortened(f"{self.idempotency_key}:{digest}:{self._given[digest]}")


def key_of_place(run: Run, place: Place) -> str:
    """Return workflow id and place: the same at every retry, replay and recovery, another one in a fork."""
    return ids.shortened(f"{run.workflow.pk}/{place}")


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
    def version(self) -> str:
        """That of the code it was started with, or forked to; the first use in an attempt asks the database."""
        return str(self._run.read("version"))

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


_run: ContextVar[Run | None] = ContextVar("durable_django_run", default=None)
_branch: ContextVar[Branch | None] = ContextVar("durable_django_branch", default=None)
_taken: ContextVar[deque[Place] | None] = ContextVar("durable_django_taken", default=None)
_step: ContextVar[StepInfo | None] = ContextVar("durable_django_step", default=None)


def adopt(task: asyncio.Task[Any]) -> None:
    """Let a task that the code of an async workflow has made end with the attempt; one of a step may outlive it."""
    run = _run.get()
    if run is not None and run.board is not None and _step.get() is None:
        run.board.adopt(task)


def alias_of_workflows() -> str:
    """Return the database of the workflow tables, for writing and for every read that decides."""
    return router.db_for_write(Workflow)


def require_run(operation: str) -> Run:
    """
    Return the run whose workflow makes this call itself, if it may go on.

    Raises OutsideWorkflow outside a workflow and inside a step, where nothing can wait.
    """
    run = _run.get()
    if run is None:
        advice = "Call it in a function decorated with @workflow, which a worker or a plain call runs."
        raise OutsideWorkflow(operation=operation, where="inside a workflow", advice=advice)
    if _step.get() is not None:
        advice = "A step runs to its end in one piece: wait in the workflow, and pass what came to the step."
        raise OutsideWorkflow(operation=operation, where="in the workflow itself, not inside a step", advice=advice)
    run.require_going_on(operation)
    return run


def refused() -> Coroutine[Any, Any, Any] | None:
    """Return what an async operation gives to await if its code goes on and on past its end; None if it does not."""
    run = _run.get()
    if run is None or run.board is None or run.interrupt is None or _step.get() is not None:
        return None
    is_stubborn = run.branch.refusals >= swallowed.MOST_REFUSALS
    return swallowed.refuse_later(run.branch, run.interrupt) if is_stubborn else None


def require_inside(operation: str) -> tuple[Run, StepInfo | None]:
    """
    Return the run, and the step if this code is in one.

    Raises OutsideWorkflow outside a workflow.
    """
    run = _run.get()
    if run is None:
        advice = "Call it in a function decorated with @workflow, or in one of its steps."
        raise OutsideWorkflow(operation=operation, where="inside a workflow", advice=advice)
    return run, _step.get()


def has_taken_places() -> bool:
    """Whether this code runs in a thread on behalf of a call whose places were taken before."""
    return _taken.get() is not None


def refuse_blocking(operation: str, instead: str) -> None:
    """Raise OutsideWorkflow: a direct call would hold up the event loop."""
    advice = f"It would hold up every other async workflow of the worker. Write: {instead}."
    raise OutsideWorkflow(operation=operation, where="outside of async code, when called directly", advice=advice)


def refuse_awaiting(operation: str) -> NoReturn:
    """Raise OutsideWorkflow: the async twin of something was called in a workflow that is not async."""
    advice = "Call the one without the a."
    raise OutsideWorkflow(operation=operation, where="in an async workflow", advice=advice)


def current_place() -> tuple[Run, StepInfo]:
    """Return the run and the step of this code, which is in a step, maybe one of the engine's own."""
    run, step = _run.get(), _step.get()
    if run is None or step is None:
        raise LookupError
    return run, step


def current_run() -> Run | None:
    """Return the attempt that this code belongs to, or None outside a workflow."""
    return _run.get()


def current_step() -> StepInfo | None:
    """Return name, position, attempt and idempotency_key of the running step; None outside a step."""
    return _step.get()


def current_workflow() -> WorkflowInfo | None:
    """Return id, name, attempt, attributes, version, user and deadline of the running workflow; None outside."""
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
    """Make a run the current one of this code, on its main line."""
    token, branch = _run.set(run), _branch.set(run.main)
    try:
        with tracing.attempt(run.workflow):
            yield
    finally:
        _run.reset(token)
        _branch.reset(branch)


@contextmanager
def branching(branch: Branch) -> Iterator[None]:
    """Make a branch the current line of calls of this code."""
    token = _branch.set(branch)
    try:
        yield
    finally:
        _branch.reset(token)


@contextmanager
def having_taken(places: Iterable[Place]) -> Iterator[None]:
    """Give these places, which were taken at the call, to the operations of the block, in whichever thread it runs."""
    token = _taken.set(deque(places))
    try:
        yield
    finally:
        _taken.reset(token)


@contextmanager
def stepping(info: StepInfo) -> Iterator[None]:
    """Make a step the current one of this code."""
    token, run = _step.set(info), _run.get()
    try:
        # What the engine does in a step of its own, a start for one, is told by other means.
        with tracing.step(run.workflow, info) if run is not None and info.kind == "step" else _NOTHING:
            yield
    finally:
        _step.reset(token)


def _place_in_records() -> dict[str, Any]:
    """Return what log records say of the place at which they are written."""
    run, step = _run.get(), _step.get()
    if run is None:
        return {}
    row = run.workflow
    facts = {"workflow_id": row.pk, "workflow": row.name, "attempt": row.attempt}
    return facts if step is None else {**facts, "step": step.name, "position": step.position}


records.connect(_place_in_records)
