"""
Firing: the due ticks of one schedule start their workflows in the transaction that moves its watermark.

No worker leads. Each that finds a schedule due locks its row, and looks again by the database's clock; who comes too
late finds nothing to do. The id of a workflow is that of its tick, so that even a clock that was set back starts
nothing twice.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction

from durable_django import signals
from durable_django.base import clock, cron, ids, registry, ticks, timetable
from durable_django.base.cron import Cron
from durable_django.base.given import moment_of
from durable_django.base.ticks import Due
from durable_django.engine import context, faults, starting
from durable_django.engine.starting import StartOptions
from durable_django.exceptions import WorkflowConflict
from durable_django.models import schedule_queryset
from durable_django.models.schedule import Overlap, Schedule
from durable_django.models.schedule_queryset import RETRY_SECONDS
from durable_django.models.turns import short_transaction
from durable_django.models.workflow import Workflow

#: So many workflows are started in one transaction; what is more comes in the next.
_BATCH = 100
_MOST_BACKFILLED = 10_000
_TINY = timedelta(microseconds=1)


@dataclass(frozen=True)
class _Fired:
    """What a look at a schedule has come to: workflows that were started, ticks that were not fired, and why not."""

    workflow_ids: tuple[str, ...] = ()
    missed: tuple[datetime, datetime] | None = None
    overlapping: tuple[datetime, datetime] | None = None


@dataclass(frozen=True)
class _Plan:
    """Which of the due ticks start a workflow, which never will, and which wait for another look."""

    starting: tuple[datetime, ...] = ()
    overlapping: tuple[datetime, ...] = ()
    is_rest_left: bool = False


def fire(alias: str, schedule_id: int) -> bool:
    """
    Fire what is due of one schedule. Return whether this was done here: somebody else may have it, or have done it.

    What is wrong with the schedule is noted in its row, harms no other, and is tried again. Raises the errors of a
    database that is away; then nothing is done.
    """
    try:
        with short_transaction(alias):
            row = Schedule.objects.using(alias).lock_due(schedule_id)
            if row is None:
                return False
            fired = _fire(row)
    except Exception as error:
        if faults.is_passing(error):
            raise
        _note(alias, schedule_id, error)
        return True
    _tell(row, fired)
    return True


def _fire(row: Any) -> _Fired:
    """Start what is due of a locked row, and move its watermark."""
    rows = Schedule.objects.using(row._state.db).filter(pk=row.pk)
    if row.is_paused or row.is_retired:
        rows.unplan()
        return _Fired()
    timing = cron.read(row.cron, row.timezone)
    now = clock.instant(row.now_epoch)
    after = now if row.fired_epoch is None else clock.instant(row.fired_epoch)
    missed_until = None if row.resumed_epoch is None else clock.instant(row.resumed_epoch)
    due = ticks.due(timing, after=after, until=now, catch_up=row.catch_up, missed_until=missed_until)
    plan = _plan(row, due)
    if plan is None:
        rows.hold()
        return _Fired()
    started = [_start(row, timing, tick, now) for tick in plan.starting]
    until = plan.starting[-1] if plan.is_rest_left else due.last or after
    row.move(fired_until=until, next_at=timing.next_after(until if plan.is_rest_left else max(until, now)))
    overlapping = (plan.overlapping[0], plan.overlapping[-1]) if plan.overlapping else None
    return _Fired(tuple(filter(None, started)), due.skipped, overlapping)


def _plan(row: Schedule, due: Due) -> _Plan | None:
    """Return what becomes of due ticks while a run may not have ended; None if all wait for the end of it."""
    found = due.ticks
    if row.overlap == Overlap.ALLOW or not found:
        return _Plan(found[:_BATCH], is_rest_left=len(found) > _BATCH)
    is_live = Workflow.objects.using(row._state.db).live_of_schedule(row.name).exists()
    if row.overlap == Overlap.QUEUE:
        return None if is_live else _Plan(found[:1], is_rest_left=len(found) > 1)
    return _Plan((), found) if is_live else _Plan(found[:1], found[1:])


def _start(row: Schedule, timing: Cron, tick: datetime, now: datetime) -> str | None:
    """Start the workflow of a tick. Return its id, None if it was started before."""
    later = tick + ticks.jitter(row.name, tick, row.jitter_seconds)
    run_after = later if row.jitter_seconds and later > now else None
    return _start_as(row, timing, ticks.workflow_id(row.name, tick), tick, run_after)


def _start_as(
    row: Schedule, timing: Cron, workflow_id: str, scheduled_at: datetime, run_after: datetime | None = None
) -> str | None:
    registered = registry.workflows.get(row.workflow)
    options = StartOptions(
        id=workflow_id,
        queue=row.queue or None,
        run_after=run_after,
        schedule=row.name,
        on_duplicate="return_existing",
    )
    given = _arguments(row, timetable.given_to(registered), scheduled_at.astimezone(timing.zone))
    try:
        started = starting.start(registered, (), given, options)
    except WorkflowConflict:
        # Its tick had come under another workflow, before the clock was set back or the schedule made anew.
        return None
    return started.id if started.is_new else None


def _arguments(row: Schedule, names: list[str], scheduled_at: datetime) -> dict[str, Any]:
    """Return the arguments: of what a schedule can give, what the function takes."""
    given: dict[str, Any] = {}
    if "scheduled_at" in names:
        given["scheduled_at"] = clock.as_users_see(scheduled_at)
    if "context" in names or row.encoded_context is not None:
        # A function that takes none refuses it: the schedule is not what its author meant.
        given["context"] = row.context
    return given


def _note(alias: str, schedule_id: int, error: Exception) -> None:
    rows = Schedule.objects.using(alias).filter(pk=schedule_id)
    text = f"{type(error).__name__}: {error}".replace("\0", "")[:2000]
    if rows.mark_broken(text):
        name = rows.values_list("name", flat=True).first()
        signals.schedule_failed.send_robust(sender=None, schedule=name, error=error, delay_seconds=RETRY_SECONDS)


def _tell(row: Schedule, fired: _Fired) -> None:
    if fired.workflow_ids:
        signals.schedule_fired.send_robust(sender=row.workflow, schedule=row.name, workflow_ids=fired.workflow_ids)
    reasons = {
        f"nobody fired them in time, and catch_up is {row.catch_up}": fired.missed,
        "a run had not ended, and overlap is skip": fired.overlapping,
    }
    for reason, span in reasons.items():
        if span is not None:
            signals.schedule_skipped.send_robust(
                sender=row.workflow, schedule=row.name, first=span[0], last=span[1], reason=reason
            )


class RowVerbs:
    """What the verbs of rows need: see models/schedule_queryset.py."""

    def settle(self, schedule: Any) -> None:
        """Fire what is due of a locked row, if it can."""
        if not schedule.is_due:
            return
        # What is broken was not going to fire.
        with contextlib.suppress(Exception), transaction.atomic(using=schedule._state.db):
            fired = _fire(schedule)
            transaction.on_commit(lambda: _tell(schedule, fired), using=schedule._state.db, robust=True)

    def trigger(self, schedule: Schedule) -> str:
        """Start the workflow once, now. Return its id."""
        now = Schedule.objects.using(schedule._state.db).filter(pk=schedule.pk).now()
        timing = cron.read(schedule.cron, schedule.timezone)
        workflow_id = _id_of_trigger(schedule)
        _start_as(schedule, timing, workflow_id, now)
        return workflow_id

    def backfill(self, schedule: Schedule, start: datetime, end: datetime, *, dry_run: bool) -> list[str]:
        """Start what is missing of the ticks in [start, end). Return the ids."""
        alias = schedule._state.db or context.alias_of_workflows()
        timing = cron.read(schedule.cron, schedule.timezone)
        now = Schedule.objects.using(alias).filter(pk=schedule.pk).now()
        until = min(moment_of(end, "end") - _TINY, now)
        found = list(islice(timing.between(moment_of(start, "start") - _TINY, until), _MOST_BACKFILLED + 1))
        if len(found) > _MOST_BACKFILLED:
            message = f"Schedule {schedule.name!r} has more than {_MOST_BACKFILLED} ticks there. Backfill a part of it."
            raise ValueError(message)
        started: list[str] = []
        for first in range(0, len(found), _BATCH):
            missing = _missing(schedule, alias, found[first : first + _BATCH])
            with short_transaction(alias):
                for workflow_id, tick in missing.items() if not dry_run else ():
                    _start_as(schedule, timing, workflow_id, tick)
            started += missing
        return started


def _missing(schedule: Schedule, alias: str, found: list[datetime]) -> dict[str, datetime]:
    by_id = {ticks.workflow_id(schedule.name, tick): tick for tick in found}
    taken = set(Workflow.objects.using(alias).filter(pk__in=by_id).values_list("pk", flat=True))
    return {workflow_id: tick for workflow_id, tick in by_id.items() if workflow_id not in taken}


def _id_of_trigger(schedule: Schedule) -> str:
    """Return an id among those of the schedule; of a long name it has room for the end of the key, which is random."""
    beginning = f"schedule:{schedule.name}:trigger:"
    return beginning + _key_of_trigger(schedule)[-(ids.LONGEST_ID - len(beginning)) :]


def _key_of_trigger(schedule: Schedule) -> str:
    """Return what makes a trigger one of its kind: in a step, its place, so that a repeated step triggers once."""
    step = context.current_step()
    if step is None:
        return ids.new_id()
    return hashlib.blake2b(step.key_of("trigger", schedule.name).encode(), digest_size=16).hexdigest()


def connect() -> None:
    """Let rows use this engine; connecting twice changes nothing."""
    schedule_queryset.connect(RowVerbs())
