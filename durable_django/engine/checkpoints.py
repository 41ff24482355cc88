"""
Checkpoints: recall what an earlier attempt recorded, or record an outcome while the fence holds.

The common case of recording is one INSERT, without a look before. Only if the database refuses it is the row looked at:
the position is taken (an earlier attempt got there first: adopt its outcome), or the fence does not hold (paused,
cancelled, taken over).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connections, transaction

from durable_django import signals
from durable_django.base import payloads
from durable_django.base.interrupts import Diverged, LeaseLost, LetGo, Parked, Suspended
from durable_django.engine import faults
from durable_django.engine.branches import Place
from durable_django.engine.context import Run
from durable_django.engine.faults import Fault
from durable_django.exceptions import NotReplayable, PayloadError
from durable_django.models.status import Status
from durable_django.models.step import Recorded, Step
from durable_django.models.workflow import Workflow


@dataclass(eq=False)
class Entry:
    """The checkpoint of one call of one step, on its way into the database."""

    run: Run
    place: Place
    name: str
    kind: str
    output: str | None = None
    error: str | None = None
    retries: int = 0
    is_retrying: bool = False
    seconds: float = 0.0

    def values(self) -> dict[str, Any]:
        """Return the column values as the hot INSERT takes them."""
        workflow = self.run.workflow
        return {
            "workflow_id": workflow.pk,
            "branch": self.place.branch,
            "position": self.place.position,
            "name": self.name,
            "kind": self.kind,
            "output": self.output,
            "error": self.error,
            "attempt": workflow.attempt,
            "retries": self.retries,
            "began": -self.seconds,
        }


class Refused(Exception):
    """The fence did not hold; look at the row."""


class Taken(Exception):
    """The position is taken by an earlier attempt's commit."""


def recall(run: Run, place: Place, name: str, kind: str) -> Recorded | None:
    """
    Return what is recorded at a place, or None if this call is the first to get there.

    Raises Diverged if the record is of another step: never the result of one step to another.
    """
    recorded = run.history.get(place)
    if recorded is not None and (recorded.name, recorded.kind) != (name, kind):
        run.guard(_diverge, run, place, recorded, name)
    if run.rehearsed is not None:
        run.rehearsed.add(place)
        if kind != "gather" and (recorded is None or not recorded.is_finished):
            run.guard(_end_rehearsal, run)
    return recorded


def _end_rehearsal(run: Run) -> None:
    """Stop where the history ends, behind which a real attempt would run, wait and write."""
    raise Suspended if run.is_alone else Parked(())


def _diverge(run: Run, place: Place, recorded: Recorded, name: str) -> None:
    error = NotReplayable(workflow_id=run.workflow.pk, position=place.label, recorded=recorded.name, called=name)
    raise Diverged(error)


def answer(recorded: Recorded, run: Run) -> Any:
    """
    Return the recorded value, or raise the recorded error: the only Exception that gets out of here.

    Reading may ask the database, for a model instance; trouble with that, and a record that cannot be read any more,
    are interrupts.
    """
    value, error = run.guard(_read, recorded, run)
    if error is not None:
        raise error
    return value


def _read(recorded: Recorded, run: Run) -> tuple[Any, Exception | None]:
    def decode() -> tuple[Any, Exception | None]:
        if recorded.error is not None:
            return None, payloads.decode_error(recorded.error, run.workflow.pk)
        return None if recorded.output is None else payloads.decode(recorded.output), None

    try:
        return faults.until_answered(run.alias, run.owner, "read a checkpoint", decode)
    except PayloadError as error:
        raise Diverged(error) from error


def record(entry: Entry) -> Recorded | None:
    """
    Commit the outcome of a step whose body has ended. Return None, or what an earlier attempt recorded in its place.

    Tried again while the database is away and the lease stands: if a lost COMMIT had succeeded after all, the second
    INSERT finds its own row and adopts it.
    Raises LetGo after recording if the workflow was paused or cancelled meanwhile, LeaseLost without recording if it
    belongs to a later attempt.
    """
    run = entry.run
    adopted, interrupt = run.guard(faults.until_answered, run.alias, run.owner, "record a step", lambda: _record(entry))
    if adopted is not None:
        entry.error = adopted.error
    send_recorded(entry)
    if interrupt is not None:
        run.interrupt = interrupt
        raise interrupt
    return adopted  # type: ignore[no-any-return]


def _record(entry: Entry) -> tuple[Recorded | None, LetGo | LeaseLost | None]:
    try:
        write(entry)
    except Taken:
        return adopt(entry), None
    except Refused:
        interrupt = look(entry.run)
        try:
            write(entry, is_running=False)
        except Taken:
            return adopt(entry), interrupt
        except Refused:
            raise LeaseLost from None
        return None, interrupt
    return None, None


def write(entry: Entry, *, is_running: bool = True) -> None:
    """
    Write the checkpoint once: an INSERT, or for a step that was retried an UPDATE under the workflow's lock.

    Raises Refused if the fence does not hold, Taken if the position is taken.
    """
    if entry.is_retrying:
        _write_retried(entry, is_running=is_running)
    elif len(connections[entry.run.alias].atomic_blocks) == entry.run.depth > 0:
        # A plain step in a TestCase: a refused INSERT must not break the test's own transaction.
        with transaction.atomic(using=entry.run.alias):
            _insert(entry, is_running=is_running)
    else:
        _insert(entry, is_running=is_running)


def _insert(entry: Entry, *, is_running: bool) -> None:
    try:
        Step.objects.using(entry.run.alias).insert(entry.values(), is_running=is_running)
    except IntegrityError as error:
        fault = faults.classify(error)
        if fault is Fault.REFUSED:
            raise Refused from error
        if fault is Fault.TAKEN:
            raise Taken from error
        raise


def _write_retried(entry: Entry, *, is_running: bool) -> None:
    rows = Step.objects.using(entry.run.alias)
    with transaction.atomic(using=entry.run.alias):
        if not entry.run.workflow.lock_owned(is_running=is_running):
            raise Refused
        if not rows.finish_retrying(entry.values()):
            raise Taken


def adopt(entry: Entry) -> Recorded:
    """Return the outcome that got to the position first; it must be of the same step."""
    rows = Step.objects.using(entry.run.alias)
    found = rows.recorded_at(entry.run.workflow.pk, *entry.place)
    if found is None or not found.is_finished:
        # Taken a moment ago, gone or unfinished now: only a later attempt or an operator's resume removes checkpoints.
        raise LeaseLost
    if (found.name, found.kind) != (entry.name, entry.kind):
        _diverge(entry.run, entry.place, found, entry.name)
    return found


def adopt_when_answered(entry: Entry) -> Recorded:
    """Adopt, tried again while the database is away."""
    return faults.until_answered(entry.run.alias, entry.run.owner, "adopt a checkpoint", lambda: adopt(entry))


def look(run: Run) -> LetGo | LeaseLost | None:
    """
    Look at the row after a refusal. Return why the attempt ends; raise LeaseLost if the row is a later attempt's.

    None: the attempt owns the row after all. What broke the fence was undone with the transaction that it was part of.
    """
    rows = Workflow.objects.using(run.alias).filter(pk=run.workflow.pk)
    found = rows.values_list("attempt", "worker", "status").first()
    if found is None or found[0] != run.workflow.attempt:
        raise LeaseLost
    if found[1] != run.workflow.worker:
        return LeaseLost()
    return None if found[2] == Status.RUNNING else LetGo()


def why_refused(run: Run) -> BaseException:
    """Return the interrupt that a refusal means; asked again while the database is away."""
    why = faults.until_answered(run.alias, run.owner, "look at the workflow", lambda: look(run))
    return why or LeaseLost()


def send_recorded(entry: Entry) -> None:
    """Tell the world, after the commit; what begins again in this attempt finds it too."""
    workflow = entry.run.workflow
    if entry.place.branch or entry.run.board is not None:
        entry.run.history[entry.place] = Recorded(
            entry.name, entry.kind, entry.output, entry.error, entry.retries, is_finished=True
        )
    signals.step_recorded.send_robust(
        sender=workflow.name,
        workflow_id=workflow.pk,
        name=workflow.name,
        step=entry.name,
        position=entry.place.position,
        attempt=entry.retries + 1,
        error=None if entry.error is None else payloads.decode_error(entry.error, workflow.pk),
    )
