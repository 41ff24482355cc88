"""
Waits: a call that cannot be answered yet gives the thread back, and the row says what it waits for.

    look -> there: record the answer
         -> not there: remember the call, then suspend (or, on one of several branches, park)

Who waits and who brings both lock the workflow's row before they look or write. Without that, what was brought between
the look and the suspension would wake nobody.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from django.db import IntegrityError, OperationalError

from durable_django.base import payloads
from durable_django.base.interrupts import Interrupt, Parked, Suspended
from durable_django.engine import checkpoints, context, faults
from durable_django.engine.branches import Place
from durable_django.engine.checkpoints import Entry, Refused, Taken
from durable_django.engine.context import Run
from durable_django.engine.faults import Fault
from durable_django.models import awaited, locks
from durable_django.models.status import Status
from durable_django.models.step import Recorded, Step
from durable_django.models.turns import short_transaction
from durable_django.models.workflow import Workflow

T = TypeVar("T")

_SHORTEST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1
_POLL_SECONDS = 1.0


class Held(Exception):
    """Somebody holds a row that must be locked."""


class Answer(NamedTuple):
    """What a wait ends with, as stored texts: an output or an error."""

    output: str | None = None
    error: str | None = None


@dataclass(eq=False, kw_only=True)
class Wait(ABC):
    """
    One call that waits.

    until         seconds from its first look, or the moment, at which it ends anyway; None: never
    is_begun      its row without an outcome exists, and holds that moment
    noted         what its looks have noted for later ones, as a stored text, which that row keeps
    awaited       what the row of the workflow says that it waits for
    poll_seconds  how often to look for what nobody would wake the workflow for; None: somebody always does
    wakes_several who brings the answer also finds a workflow that waits for several things; else it looks every second
    others        the workflows whose rows are locked for a look
    consumes      the answer is taken away from others; else a first look needs no lock
    is_last       nothing of its branch comes behind it: it need not wake the workflow as long as another such one waits
    """

    run: Run
    place: Place
    name: str
    kind: str
    until: float | datetime | None = None
    awaited: str = awaited.FOR_TIME
    poll_seconds: float | None = None
    wakes_several: bool = True
    others: Sequence[str] = ()
    consumes: bool = True
    is_begun: bool = field(default=False, init=False)
    noted: str | None = field(default=None, init=False)
    is_last: bool = field(default=False, init=False)

    def prepare(self) -> None:  # noqa: B027 - few need it
        """Get ready for a look, before the rows are locked."""

    @abstractmethod
    def look(self) -> Answer | None:
        """Return the answer if it is there, under the locks of the rows."""

    def glance(self) -> Answer | None:
        """Return the answer if it is there, without a lock: what is there already is there for good."""
        self.prepare()
        return self.look()

    @classmethod
    def answered_among(cls, waits: Sequence[Wait]) -> list[Wait]:
        """Return those whose answer may have come, without a look at each."""
        return list(waits)

    def take(self) -> None:  # noqa: B027 - few need it
        """Consume the answer that was just recorded, in the same transaction."""

    @abstractmethod
    def at_end(self) -> Answer:
        """Return the answer of a wait whose time is over."""

    def is_over(self) -> bool:
        """
        Whether its time is over, by the database's clock; asks only once its row exists.

        Over is also what has its outcome: a COMMIT that nobody heard of was followed by another look.
        """
        if self.is_begun or isinstance(self.until, datetime):
            return Step.objects.using(self.run.alias).is_over(self.run.workflow.pk, *self.place)
        return self.until is not None and self.until <= 0

    def entry(self, answer: Answer, *, is_begun: bool = False) -> Entry:
        """Return the checkpoint of this call."""
        return Entry(
            run=self.run,
            place=self.place,
            name=self.name,
            kind=self.kind,
            output=answer.output,
            error=answer.error,
            is_retrying=is_begun,
        )


def perform(wait: Wait) -> Any:
    """
    Return what the wait ends with, or raise it; record it on the way. In an async run call it in a thread.

    Raises Suspended, or Parked on one of several branches, if it is not there yet.
    """
    run = wait.run
    if run.board is not None and not context.has_taken_places():
        context.refuse_blocking(f"{wait.kind}()", f"await a{wait.kind}(...)")
    recorded = checkpoints.recall(run, wait.place, wait.name, wait.kind)
    try:
        if recorded is None or not recorded.is_finished:
            wait.is_begun, wait.is_last = recorded is not None, run.branch.is_child
            wait.noted = recorded.output if recorded is not None else None
            recorded = run.guard(_answer_of, wait)
        return checkpoints.answer(recorded, run)
    except Exception as error:
        run.note_outcome(error)
        raise


def give_up(wait: Wait, error: Exception) -> Any:
    """
    End a wait whose task was cancelled: return its answer if that has come; if not, record the error and raise it.

    Without a record a replay would wait again, in front of what the code has done since.
    """
    recorded = wait.run.guard(_answer_of, wait, Answer(error=payloads.encode_error(error)))
    return checkpoints.answer(recorded, wait.run)


def suspend(run: Run, waits: Sequence[Wait]) -> list[Wait]:
    """
    Suspend a run all of whose branches wait. Return those waits whose answer has come meanwhile.

    Raises Suspended if there is none, in which case the row says so, and what a refusal means.
    """
    if run.rehearsed is not None:
        run.guard(_raise, Suspended())
    ready = run.guard(_until_looked, run, "suspend", lambda: _suspend_unless_ready(run, waits))
    if not ready:
        run.guard(_raise, Suspended())
    return list(ready)


def that_are_ready(run: Run, waits: Sequence[Wait]) -> list[Wait]:
    """Return those waits whose answer has come, without a lock: a hint to look again."""
    leading = _leading(waits)

    def look() -> list[Wait]:
        for wait in leading:
            wait.prepare()
        return _ready(waits, leading)

    try:
        return faults.until_answered(run.alias, run.owner, "look for what is awaited", look)
    except Held:
        return []


def _answer_of(wait: Wait, otherwise: Answer | None = None) -> Recorded:
    run = wait.run
    if otherwise is None and not wait.consumes and not wait.is_begun:
        if (answer := _glance(wait)) is not None:
            glanced = wait.entry(answer)
            return checkpoints.record(glanced) or _recorded(glanced)
        if wait.until is None and run.branch is not run.main:
            # The run looks again, under the locks, for all its branches at once.
            raise Parked((wait,))
    try:
        entry = _until_looked(run, "look for what is awaited", lambda: _settle(wait, otherwise))
    except Taken:
        return checkpoints.adopt_when_answered(wait.entry(Answer()))
    if entry is None:
        wait.is_begun = True
        run.history[wait.place] = Recorded(wait.name, wait.kind, wait.noted, None, 0, is_finished=False)
        raise Suspended if run.is_alone else Parked((wait,))
    checkpoints.send_recorded(entry)
    return _recorded(entry)


def _recorded(entry: Entry) -> Recorded:
    return Recorded(entry.name, entry.kind, entry.output, entry.error, entry.retries, is_finished=True)


def _glance(wait: Wait) -> Answer | None:
    try:
        return faults.until_answered(wait.run.alias, wait.run.owner, "look for what is awaited", wait.glance)
    except Held:
        return None


def _settle(wait: Wait, otherwise: Answer | None) -> Entry | None:
    """
    Record the answer, or note that the call waits, and suspend if nothing else can go on; in one transaction.

    otherwise  what to record if there is no answer, instead of going on to wait
    """
    _lock(wait.run, [wait])
    answer = wait.look() or otherwise
    is_begun = wait.is_begun
    if answer is None and not is_begun and wait.until != 0:
        _begin(wait)
        is_begun = True
    if answer is None and wait.is_over():
        answer = wait.at_end()
    if answer is not None:
        entry = wait.entry(answer, is_begun=is_begun)
        _write(entry)
        wait.take()
        return entry
    if wait.is_begun:
        _keep_note(wait)
    if wait.run.is_alone:
        _watch([wait])
        wait.run.workflow.suspend(wait.awaited, wait.poll_seconds)
    return None


def _write(entry: Entry) -> None:
    """Write the checkpoint under the lock of the workflow's row, which proves the fence already."""
    if not entry.is_retrying:
        checkpoints.write(entry)
    elif not Step.objects.using(entry.run.alias).finish_retrying(entry.values()):
        raise Taken


def _begin(wait: Wait) -> None:
    """Insert the row of a call that waits."""
    try:
        Step.objects.using(wait.run.alias).begin_waiting(wait.entry(Answer(wait.noted)).values(), wait.until)
    except IntegrityError as error:
        raise Taken from error


def _keep_note(wait: Wait) -> None:
    """Keep what the looks have noted; one that waits on a branch without a limit may have no row yet."""
    recorded = wait.run.history.get(wait.place)
    if wait.noted == (recorded.output if recorded is not None else None):
        return
    if recorded is None:
        _begin(wait)
    else:
        Step.objects.using(wait.run.alias).note_waiting(wait.entry(Answer(wait.noted)).values())


def _suspend_unless_ready(run: Run, waits: Sequence[Wait]) -> list[Wait]:
    leading = _leading(waits)
    _lock(run, leading)
    if ready := _ready(waits, leading):
        return ready
    for wait in leading:
        _keep_note(wait)
    _watch(leading)
    texts = {wait.awaited for wait in leading}
    is_for_one = len(texts) == 1
    polls = [wait.poll_seconds for wait in leading if wait.poll_seconds is not None]
    if not (is_for_one or all(wait.wakes_several for wait in leading)):
        polls.append(_POLL_SECONDS)
    text = texts.pop() if is_for_one else awaited.FOR_SEVERAL
    run.workflow.suspend(text, min(polls, default=None), [wait.place for wait in leading])
    return []


def _ready(waits: Sequence[Wait], leading: Sequence[Wait]) -> list[Wait]:
    """Return those whose answer has come, or whose time is over; nothing if that holds for none of the leading ones."""
    ready = [wait for wait in leading if wait.look() is not None or wait.is_over()]
    known = set(leading)
    led = [wait for wait in waits if wait not in known] if ready else []
    for kind in {type(wait) for wait in led}:
        ready += kind.answered_among([wait for wait in led if type(wait) is kind])
    return ready


def _leading(waits: Sequence[Wait]) -> list[Wait]:
    """
    Return those that are to wake the workflow: of those behind which nothing comes, only the last in order.

    The run needs all their answers to go on, and what begins last mostly ends last. So a thousand children wake it a
    few times, not a thousand.
    """
    lasts = [wait for wait in waits if wait.is_last and wait.until is None]
    skipped = set(lasts[:-1])
    return [wait for wait in waits if wait not in skipped]


def _watch(waits: Sequence[Wait]) -> None:
    """See to it that somebody wakes the workflow, under the locks of the rows."""
    others = {other for wait in waits for other in wait.others}
    if others:
        Workflow.objects.using(waits[0].run.alias).filter(pk__in=others).watch()


def _lock(run: Run, waits: Sequence[Wait]) -> None:
    """
    Lock the run's own row and those of others, in order of id as all do. Raises Refused if the fence does not hold.

    At once or not at all: a sender may hold a row for long, and a thread must not wait for it deaf to its lease.
    """
    for wait in waits:
        wait.prepare()
    ids = {run.workflow.pk, *(other for wait in waits for other in wait.others)}
    try:
        own = locks.lock(run.alias, ids, nowait=True).get(run.workflow.pk)
    except OperationalError as error:
        if faults.classify(error) is not Fault.TIMED_OUT:
            raise
        raise Held from error
    if own is None or own[:3] != (run.workflow.attempt, run.workflow.worker, Status.RUNNING):
        raise Refused


def _until_looked(run: Run, what: str, act: Callable[[], T]) -> T:
    """Do it in one transaction, again while a row is held or the database is away. Raises what a refusal means."""

    def transact() -> T:
        with short_transaction(run.alias):
            return act()

    pause = _SHORTEST_PAUSE_SECONDS
    while True:
        try:
            return faults.until_answered(run.alias, run.owner, what, transact)
        except Held:
            run.owner.pause(pause * (0.5 + random.random()))  # noqa: S311 - spreads load
            run.owner.require_going_on()
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        except Refused:
            raise checkpoints.why_refused(run) from None


def _raise(interrupt: Interrupt) -> None:
    raise interrupt
