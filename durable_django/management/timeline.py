"""`durable show`: one workflow in the terminal, its facts and what happened when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.core.management.color import Style

from durable_django.base.texts import plain, plain_lines, shortened, spoken_seconds
from durable_django.management.history import History, StepHistory, seconds_between
from durable_django.management.rendering import cell, coloured, table
from durable_django.management.showing import Showing

_LONGEST_LINE = 200
_HEADER = ("when", "", "step", "state", "attempt", "retries", "took", "what came of it")


class Event(NamedTuple):
    """One line of the timeline."""

    at: datetime | None
    place: str = ""
    what: str = ""
    state: str = ""
    attempt: str = ""
    retries: str = ""
    took: str = ""
    came_of_it: str = ""


def describe(history: History, style: Style, showing: Showing) -> str:
    """Return facts, timeline and outcome as text."""
    parts = ["\n".join(_facts(history, style, showing)), _events(history, style, showing), *_outcome(history, showing)]
    return "\n\n".join(parts)


def _facts(history: History, style: Style, showing: Showing) -> Iterator[str]:
    workflow = history.workflow
    yield f"{plain(workflow.pk)}  {plain(workflow.name)}{plain(showing.call(history, _LONGEST_LINE))}"
    yield f"  {'status':<13}{coloured(style, workflow.status, workflow.status)}{_why(history)}"
    for name, value in _more_facts(history, showing).items():
        if value:
            yield f"  {name:<13}{cell(value, _LONGEST_LINE)}"


def _more_facts(history: History, showing: Showing) -> dict[str, Any]:
    workflow = history.workflow
    lost = f", {workflow.recoveries} lost in a row, at most {workflow.max_recoveries}"
    return {
        "queue": f"{workflow.queue}, priority {workflow.priority}",
        "attempt": f"{workflow.attempt}{lost}",
        "worker": workflow.worker,
        "took": workflow.started_at and spoken_seconds(history.seconds),
        "due": workflow.run_after,
        "deadline": workflow.deadline,
        "started by": workflow.started_by,
        "parent": workflow.parent_id,
        "forked from": workflow.forked_from_id,
        "attributes": workflow.attributes and json.dumps(showing.attributes(history), ensure_ascii=False),
    }


def _why(history: History) -> str:
    return f" ({shortened(plain(history.situation), _LONGEST_LINE)})" if history.situation else ""


def _events(history: History, style: Style, showing: Showing) -> str:
    """Return the timeline: what happened to the workflow, and its steps, in the order of time."""
    events = [*_milestones(history), *(_step_event(history, step, showing) for step in history.steps)]
    events.sort(key=lambda event: event.at or history.now)
    if history.workflow.finished_at is not None:
        # No step begins after the end, but clocks that tick in milliseconds cannot always tell.
        events.append(Event(history.workflow.finished_at, what="ended", state=history.workflow.status))
    rows = [[_since(history, event.at), *event[1:]] for event in events]
    rows[0][0] = cell(events[0].at)
    if history.left_out:
        rows.insert(1, ["", *Event(None, what=f"({history.left_out} earlier steps: see --steps)")[1:]])
    return table(_HEADER, rows, style, status=3)


def _milestones(history: History) -> Iterator[Event]:
    workflow = history.workflow
    yield Event(workflow.created_at, what="created")
    if workflow.started_at is not None and workflow.started_at != workflow.claimed_at:
        yield Event(workflow.started_at, what="claimed for the first time", attempt="1")
    if workflow.claimed_at is not None:
        yield Event(workflow.claimed_at, what="claimed", attempt=str(workflow.attempt))


def _step_event(history: History, entry: StepHistory, showing: Showing) -> Event:
    step = entry.step
    return Event(
        step.started_at or step.finished_at,
        place=plain(step.place),
        what=cell(step.name),
        state=entry.state,
        attempt=str(step.attempt),
        retries=str(step.retries or ""),
        took="" if entry.seconds is None else spoken_seconds(entry.seconds),
        came_of_it=_came_of(history, entry, showing),
    )


def _came_of(history: History, entry: StepHistory, showing: Showing) -> str:
    has_error = entry.error.head is not None
    came = showing.error_line(entry.error, 2000) if has_error else showing.value(entry.output, 2000)
    if entry.step.next_retry_at is not None:
        left = seconds_between(history.now, entry.step.next_retry_at)
        came = f"again in {spoken_seconds(left)}, after {came}" if has_error else f"until then {spoken_seconds(left)}"
    return cell(came, _LONGEST_LINE)


def _since(history: History, moment: datetime | None) -> str:
    seconds = seconds_between(history.workflow.created_at, moment)
    return "-" if seconds is None else f"+ {spoken_seconds(seconds)}"


def _outcome(history: History, showing: Showing) -> Iterator[str]:
    if history.error.head is not None:
        # A failed run, or one that will be tried again as a whole, keeps its error with it.
        yield f"  {history.workflow.status}: {showing.error_line(history.error, 2000)}"
        if traceback := showing.error(history.error).traceback:
            yield plain_lines(traceback.rstrip())
    elif history.workflow.status == "succeeded" and history.workflow.pruned_at is None:
        yield f"  result: {shortened(plain(showing.value(history.output, 2000)), _LONGEST_LINE)}"
