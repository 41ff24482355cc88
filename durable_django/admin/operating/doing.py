"""What each verb of the table does, by the verbs of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext

from durable_django.admin.moments import spoken_tick
from durable_django.admin.operating.verb import Options, Planned
from durable_django.api import communication
from durable_django.base import cron
from durable_django.exceptions import WorkflowFinished
from durable_django.management import resuming
from durable_django.management.outcomes import tick_of
from durable_django.models.status import Status

STOPPED = (Status.PAUSED, Status.FAILED, Status.CANCELLED)
#: Ticks that one form fills: they are one transaction.
MOST_FILLED = 1000

Made = Mapping[str, Any] | None


def cancel(rows: Any, options: Options) -> None:
    """Cancel workflows, and what they have started if that was ticked."""
    rows.cancel(options["reason"], children=options["children"])


def pause(rows: Any, options: Options) -> None:
    """Pause workflows."""
    rows.pause(options["reason"])


def resume(rows: Any, options: Options) -> None:
    """Resume workflows, and what made them fail if that was ticked; all but those whose key another one holds."""
    _count, refused = resuming.resume(rows, children=options["children"])
    if refused:
        # One reason stands for all; how many stayed as they were, the page counts itself.
        raise next(iter(refused.values()))


def reschedule(rows: Any, options: Options) -> None:
    """Let workflows go on at a moment, or now."""
    rows.reschedule(run_after=options["run_after"])


def set_priority(rows: Any, options: Options) -> None:
    """Give workflows another priority."""
    rows.set_priority(options["priority"])


def purge(rows: Any, options: Options) -> None:
    """Purge workflows."""
    rows.purge(children=options["children"], payloads_only=options["payloads_only"])


def set_attributes(row: Any, options: Options) -> Made:
    """Set attributes; the record keeps their names."""
    return {"attributes": sorted(options["attributes"])} if row.set_attributes(options["attributes"]) else None


def fork(row: Any, options: Options) -> Made:
    """Fork a workflow, from a failure once, whoever asks; the record keeps the id of the fork."""
    try:
        if options["from_failure"] and row.status == Status.FAILED and row.pruned_at is None:
            made = _alone(row).forked(**options)
            return {"workflow": made[row.pk]} if made else None
        return {"workflow": row.fork(**options).pk}
    except TypeError as error:
        # What the function does not take was typed by the operator.
        raise ValueError(str(error)) from error


def _alone(row: Any) -> Any:
    return type(row)._default_manager.using(row._state.db).filter(pk=row.pk)


def send(row: Any, options: Options) -> Made:
    """Send a message; what the record keeps of it is the topic."""
    try:
        communication.send(row.pk, options["message"], topic=options["topic"])
    except WorkflowFinished:
        return None
    return {"topic": options["topic"]}


def pause_row(row: Any, _options: Options) -> Made:
    """Pause a queue or a schedule."""
    return {} if row.pause() else None


def resume_row(row: Any, _options: Options) -> Made:
    """Resume a queue or a schedule."""
    return {} if row.resume() else None


def revert_row(row: Any, _options: Options) -> Made:
    """Revert a queue or a schedule."""
    return {} if row.revert() else None


def drain_row(row: Any, _options: Options) -> Made:
    """Drain a worker."""
    return {} if row.drain() else None


def trigger(row: Any, _options: Options) -> Made:
    """Start the workflow of a schedule."""
    with _calling():
        return {"workflow": row.trigger()}


def backfill(row: Any, options: Options) -> Made:
    """Start what is missing of a schedule; the record keeps how many, the ids follow from the range."""
    _require_few(row, options)
    with _calling():
        made = row.backfill(options["start"], options["end"])
    facts = {"start": options["start"].isoformat(), "end": options["end"].isoformat(), "workflows": len(made)}
    return facts if made else None


def preview_backfill(rows: list[Any], options: Options) -> list[Planned]:
    """Return what a backfill would start. Raises ValueError if that is too much."""
    return [_planned(row, workflow_id) for row in rows for workflow_id in _require_few(row, options)]


def _planned(row: Any, workflow_id: str) -> Planned:
    tick = tick_of(workflow_id)
    return Planned(workflow_id, spoken_tick(tick, cron.read_zone(row.timezone)) if tick else "")


def _require_few(row: Any, options: Options) -> list[str]:
    ids: list[str] = row.backfill(options["start"], options["end"], dry_run=True)
    if len(ids) > MOST_FILLED:
        message = gettext(
            "%(count)d ticks are missing there, more than the %(most)d that are filled here at once. Choose a part of "
            "the range, or call manage.py durable schedules backfill."
        )
        raise ValueError(message % {"count": len(ids), "most": MOST_FILLED})
    return ids


@contextmanager
def _calling() -> Iterator[None]:
    """Let it be a ValueError if a function does not take the arguments that its row holds for it."""
    try:
        yield
    except TypeError as error:
        raise ValueError(str(error)) from error
