"""Children: workflows that a workflow starts, under ids that a replay makes again, and the waits for their ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from durable_django.base import payloads
from durable_django.base.interrupts import LetGo
from durable_django.base.registry import Registered
from durable_django.engine import context, faults, starting, stepping, waits
from durable_django.engine.calls import StepSpec
from durable_django.engine.starting import Parent, StartOptions
from durable_django.engine.waits import Answer, Held, Wait
from durable_django.exceptions import ResultTimeout, WorkflowNotFound, WorkflowPruned
from durable_django.models import awaited, duplicates, outcomes
from durable_django.models.status import Status
from durable_django.models.turns import short_transaction
from durable_django.models.workflow import Workflow

#: How often to look for an end that nobody wakes for: that of one of several strangers.
_POLL_SECONDS = 1.0

#: The kind of the step that a start in a workflow is.
START = "start"
#: Name and kind of the wait for the end of one workflow.
RESULT = "result"

Calls = Sequence[tuple[tuple[Any, ...], dict[str, Any]]]


def start(
    registered: Registered,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: StartOptions,
    *,
    shaped: Callable[[str], str] = str,
) -> str:
    """
    Start a workflow: as a child inside a workflow or a step, else on its own. Return its id.

    The id of a child derives from where it is started, or in a step from what is started, unless one is given; so a
    replay finds the same child. It inherits the deadline, unless it has a timeout of its own.

    shaped  makes the id that is used out of the one that derives
    """
    run, step = context.current_run(), context.current_step()
    if run is None:
        return starting.start(registered, args, kwargs, options).id
    if step is None:
        spec = StepSpec(name=registered.name, func=_start, is_atomic=True, kind=START)
        return str(stepping.perform(spec, (registered, args, kwargs, options, shaped), {}))
    return _start(registered, args, kwargs, options, shaped)


def start_many(registered: Registered, calls: Calls, options: StartOptions) -> list[str]:
    """Start many workflows, as start() does; in a workflow that is one step. Return the ids in order."""
    run, step = context.current_run(), context.current_step()
    if run is None:
        return starting.start_many(registered, calls, options)
    if step is None:
        spec = StepSpec(name=registered.name, func=_start_many, is_atomic=True, kind="start_many")
        return list(stepping.perform(spec, (registered, calls, options), {}))
    return _start_many(registered, calls, options)


def _start(
    registered: Registered,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: StartOptions,
    shaped: Callable[[str], str],
) -> str:
    run, step = context.current_place()
    if options.id is None:
        options = replace(options, id=shaped(_child_id(step, registered, args, kwargs)))
    with short_transaction(run.alias, savepoint=False):
        if options.debounce is not None and options.deduplication_key is not None:
            queue = starting.queue_of(registered, options)
            duplicates.lock_with_holder(run.alias, run.workflow.pk, queue, options.deduplication_key)
        started = starting.start(registered, args, kwargs, options, parent=lock_parent(run))
    if started.is_new:
        run.live.add(started.id)
    return started.id


def _start_many(registered: Registered, calls: Calls, options: StartOptions) -> list[str]:
    run, step = context.current_place()
    child_ids = [_child_id(step, registered, args, kwargs) for args, kwargs in calls]
    with short_transaction(run.alias, savepoint=False):
        return starting.start_many(registered, calls, options, child_ids=child_ids, parent=lock_parent(run))


def lock_parent(run: context.Run) -> Parent:
    """
    Lock the parent's row, so that a cancellation of the tree finds the child or comes first.

    Raises LetGo if it came first, also in a plain step: what nobody cancels any more is not to be started.
    """
    row = run.lock_row()
    if row.status == Status.CANCELLED:
        run.note(LetGo())
        raise LetGo
    return Parent(run.workflow.pk, row.deadline)


def _child_id(step: context.StepInfo, registered: Registered, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the place of the start itself; in a step of user code, what is started, numbered."""
    if step.kind == START:
        return step.idempotency_key
    fingerprint = payloads.fingerprint(registered.name, registered.encode(args, kwargs))
    return step.key_of("start", fingerprint)


def look_for_live(run: context.Run) -> None:
    """Note which children have not ended, in one query; none for a run without children."""
    if any(recorded.kind in {START, "start_many"} for recorded in run.history.values()):
        rows = Workflow.objects.using(run.alias).filter(parent_id=run.workflow.pk, finished_at__isnull=True)
        live = run.guard(
            faults.until_answered,
            run.alias,
            run.owner,
            "look for children",
            lambda: set(rows.values_list("pk", flat=True)),
        )
        run.live = live


@dataclass(eq=False, kw_only=True)
class EndWait(Wait):
    """A call that waits for the end of one workflow and takes over its outcome."""

    workflow_id: str
    consumes: bool = False

    def glance(self) -> Answer | None:
        """Return the outcome, if there is one; a child that is known to live is not looked at."""
        return None if self.workflow_id in self.run.live else super().glance()

    @classmethod
    def answered_among(cls, waits: Sequence[Wait]) -> list[Wait]:
        """Return those whose workflow does not live any more, in one query."""
        ends = [wait for wait in waits if isinstance(wait, cls)]
        if not ends:
            return []
        run, ids = ends[0].run, [wait.workflow_id for wait in ends]
        rows = Workflow.objects.using(run.alias).filter(pk__in=ids, finished_at__isnull=True)
        live = set(rows.values_list("pk", flat=True))
        run.live.difference_update(set(ids) - live)
        return [wait for wait in ends if wait.workflow_id not in live]

    def look(self) -> Answer | None:
        """Return the outcome, if there is one."""
        rows = Workflow.objects.using(self.run.alias).filter(pk=self.workflow_id)
        row = rows.values_list(*OUTCOME, "parent_id").first()
        if row is None:
            return _not_found(self.workflow_id)
        outcome = Outcome(*row[:-1])
        if outcome.status in Status.terminal():
            self.run.live.discard(self.workflow_id)
        self.wakes_several = row[-1] == self.run.workflow.pk
        return outcome_of(self.workflow_id, outcome)

    def at_end(self) -> Answer:
        """Return that it did not end in time."""
        return _too_late(self.workflow_id, self.until)


@dataclass(eq=False, kw_only=True)
class EndsWait(Wait):
    """A call that waits for the end of the first of several workflows, or of them all; it answers with the first."""

    workflow_ids: tuple[str, ...]
    is_for_all: bool
    consumes: bool = False

    def prepare(self) -> None:
        """
        Choose whose end is to wake the waiter: of all only the last that has not ended, in order.

        What begins last mostly ends last. So a thousand children wake it a few times, not a thousand.
        """
        found = self._read()
        unfinished = self._unfinished(found)
        self.others = unfinished[-1:] if self.is_for_all else unfinished
        self.wakes_several = all(found[other].parent_id == self.run.workflow.pk for other in self.others)
        if self.is_for_all:
            self.awaited = awaited.for_end(*self.others) if self.others else awaited.FOR_SEVERAL
        else:
            # The end of a stranger wakes only those who wait for nothing else.
            self.poll_seconds = None if self.wakes_several else _POLL_SECONDS

    def look(self) -> Answer | None:
        """Return the id of the first that ended, or that one of them is gone and can end no more."""
        found = self._read()
        if gone := [workflow_id for workflow_id in self.workflow_ids if workflow_id not in found]:
            return _not_found(gone[0])
        unfinished = self._unfinished(found)
        ended = [(end.finished_at, workflow_id) for workflow_id, end in found.items() if end.finished_at]
        if ended and not (self.is_for_all and unfinished):
            return Answer(payloads.encode(min(ended)[1]))
        if self.is_for_all and unfinished[-1] not in self.others:
            raise Held
        return None

    def at_end(self) -> Answer:
        """Return that they did not end in time."""
        return _too_late(self._unfinished(self._read())[0], self.until)

    def _read(self) -> dict[str, _End]:
        rows = Workflow.objects.using(self.run.alias).filter(pk__in=self.workflow_ids)
        return {row[0]: _End(*row[1:]) for row in rows.values_list("pk", "finished_at", "parent_id")}

    def _unfinished(self, found: dict[str, _End]) -> tuple[str, ...]:
        """Return those that live, in the order in which they were given."""
        return tuple(each for each in self.workflow_ids if each in found and not found[each].finished_at)


class _End(NamedTuple):
    """When a workflow has ended, if it has, and whose child it is."""

    finished_at: datetime | None
    parent_id: str | None


def result(workflow_id: str, timeout: float | None) -> Any:
    """Return the result of a workflow, or raise its error; suspend the calling workflow until it has ended."""
    run = context.require_run(f"result() of workflow {workflow_id!r}")
    _require_others(run, [workflow_id])
    wait = EndWait(
        run=run,
        place=run.next_place(),
        name=RESULT,
        kind=RESULT,
        until=timeout,
        workflow_id=workflow_id,
        others=(workflow_id,),
        awaited=awaited.for_end(workflow_id),
    )
    return waits.perform(wait)


def first_of(workflow_ids: Sequence[str], timeout: float | None, *, is_for_all: bool) -> str:
    """Return the id of the first workflow that has ended, once one of them has, or all; suspend until then."""
    name = "wait_all" if is_for_all else "wait_first"
    run = context.require_run(f"{name}()")
    _require_others(run, workflow_ids)
    wait = EndsWait(
        run=run,
        place=run.next_place(),
        name=name,
        kind=name,
        until=timeout,
        workflow_ids=tuple(workflow_ids),
        is_for_all=is_for_all,
        awaited=awaited.FOR_SEVERAL,
    )
    return str(waits.perform(wait))


class Outcome(NamedTuple):
    """What the row of a workflow says of its end."""

    status: str
    output: str | None
    error: str | None
    reason: str
    pruned_at: datetime | None


#: The columns of an Outcome.
OUTCOME = Outcome._fields


def outcome_of(workflow_id: str, outcome: Outcome) -> Answer | None:
    """Return what those hear who wait for the end of a workflow; None if it has not come."""
    status = outcome.status
    if outcome.pruned_at is not None:
        return Answer(error=payloads.encode_error(WorkflowPruned(workflow_id=workflow_id, status=status)))
    if status in {Status.CANCELLED, Status.FAILED}:
        return Answer(error=outcomes.error_of(workflow_id, status, outcome.error, outcome.reason))
    return Answer(outcome.output) if status == Status.SUCCEEDED else None


def _require_others(run: context.Run, workflow_ids: Sequence[str]) -> None:
    if run.workflow.pk in workflow_ids:
        message = f"Workflow {run.workflow.pk!r} cannot wait for its own end, which would never come."
        raise ValueError(message)


def _not_found(workflow_id: str) -> Answer:
    return Answer(error=payloads.encode_error(WorkflowNotFound(workflow_id=workflow_id)))


def _too_late(workflow_id: str, timeout: Any) -> Answer:
    return Answer(error=payloads.encode_error(ResultTimeout(workflow_id=workflow_id, timeout=timeout, status="live")))


def _status_of(workflow_id: str) -> str:
    rows = Workflow.objects.using(context.alias_of_workflows()).filter(pk=workflow_id)
    status = rows.values_list("status", flat=True).first()
    if status is None:
        raise WorkflowNotFound(workflow_id=workflow_id)
    return str(status)


_REFRESH = StepSpec(name="refresh", func=_status_of, kind="refresh")


def status_of(workflow_id: str) -> str:
    """Return the status of a workflow, recorded: every replay sees the same. Raises WorkflowNotFound."""
    return str(stepping.perform(_REFRESH, (workflow_id,), {}))
