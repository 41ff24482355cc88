"""What happened when: the lanes of the workflow, its mail, its steps and its children, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from durable_django.admin.workflow_page import drawing
from durable_django.admin.workflow_page.addresses import Addresses
from durable_django.admin.workflow_page.axis import axis_of
from durable_django.admin.workflow_page.drawing import Drawing, Lane, Span, Tick
from durable_django.base.texts import plain
from durable_django.management.durations import spoken_seconds
from durable_django.management.history import History, StepHistory, seconds_between
from durable_django.management.naming import spoken_name
from durable_django.management.surroundings import Letter, Surroundings
from durable_django.models.status import Status
from durable_django.models.workflow import Workflow

#: Steps and children in one drawing, the last ones.
MOST_LANES = 80
#: Kinds of steps that wait: time in which nothing runs.
_WAITS = ("sleep", "receive", "get_event", "result", "wait_all", "wait_first")


@dataclass(frozen=True)
class Timeline:
    """
    The drawing, and what stands beside it.

    left_out  steps and children that are not drawn
    is_folded, has_folds   whether idle time is folded, whether there is any
    """

    drawing: Drawing
    left_out: int
    is_folded: bool
    has_folds: bool


@dataclass(frozen=True)
class _Entry:
    """A lane with the moments that count for its place."""

    begun: datetime
    lane: Lane
    busy: tuple[datetime, datetime] | None


def timeline_of(
    history: History, around: Surroundings, addresses: Addresses, *, is_folding: bool, are_first: bool
) -> Timeline:
    """
    Return the timeline of a workflow.

    are_first  whether the history has the first steps, which are drawn then, instead of the last ones
    """
    entries = [*_of_steps(history), *_of_children(history, around, addresses)]
    entries.sort(key=lambda entry: entry.begun)
    drawn = entries[:MOST_LANES] if are_first else entries[-MOST_LANES:]
    is_cut = len(drawn) < len(entries) or bool(history.left_out)
    lanes = [_of_workflow(history), *_of_mail(around), *(entry.lane for entry in drawn)]
    whole = _whole(history, lanes)
    origin = whole[0]
    if is_cut and drawn:
        # What is not drawn would look like time in which nothing happened.
        ends = [span.end for entry in drawn for span in entry.lane.spans]
        whole = (whole[0], max(ends)) if are_first else (drawn[0].begun, whole[1])
    busy = [entry.busy for entry in drawn if entry.busy is not None]
    axis = axis_of(whole, busy, drawing.LEFT, drawing.RIGHT, is_folding=is_folding)
    return Timeline(
        drawing=drawing.drawing_of(
            lanes, axis, origin, is_live=not history.workflow.is_finished and not (is_cut and are_first)
        ),
        left_out=len(entries) - len(drawn) + history.left_out,
        is_folded=is_folding,
        has_folds=bool(axis.folds),
    )


def _whole(history: History, lanes: list[Lane]) -> tuple[datetime, datetime]:
    """Return the first and the last moment that is drawn; the steps that a fork has copied are older than itself."""
    moments = [moment for lane in lanes for span in lane.spans for moment in (span.start, span.end)]
    moments += [tick.at for lane in lanes for tick in lane.ticks]
    last = history.workflow.finished_at or history.now
    return min([history.workflow.created_at, *moments]), max([last, *moments])


def _of_workflow(history: History) -> Lane:
    workflow = history.workflow
    name = plain(spoken_name(workflow, history.arguments.head))
    spans = list(_lifetime(workflow, history.now))
    queued = seconds_between(workflow.created_at, workflow.started_at or workflow.finished_at or history.now)
    title = _("%(name)s: %(status)s, waited %(queued)s for its first claim, took %(took)s") % {
        "name": name,
        "status": workflow.get_status_display(),
        "queued": spoken_seconds(queued),
        "took": spoken_seconds(history.seconds),
    }
    return Lane(name, title, workflow.status, spans, note=_attempts(workflow.attempt))


def _lifetime(workflow: Workflow, now: datetime) -> Iterator[Span]:
    """Yield how long it waited for its first claim, and how long it took from there."""
    end = workflow.finished_at or now
    yield Span("durable-queue-time", workflow.created_at, workflow.started_at or end)
    if workflow.started_at is not None:
        yield Span("durable-run-time", workflow.started_at, end)


def _attempts(attempt: int) -> str:
    return ngettext("%(n)d attempt", "%(n)d attempts", attempt) % {"n": attempt} if attempt > 1 else ""


def _of_mail(around: Surroundings) -> Iterator[Lane]:
    """Yield one lane on which every message is a tick; none if there are none."""
    ticks = [*map(_received, around.received), *map(_sent, around.sent)]
    if ticks:
        yield Lane(_("messages"), _("messages, received and sent"), "mail", ticks=ticks)


def _received(letter: Letter) -> Tick:
    is_open = letter.received_at is None
    said = _("waits to be received: %(topic)s") if is_open else _("received: %(topic)s")
    title = said % {"topic": plain(letter.topic) or _("message")}
    return Tick("durable-unread" if is_open else "durable-read", letter.received_at or letter.created_at, title)


def _sent(letter: Letter) -> Tick:
    facts = {"topic": plain(letter.topic) or _("message"), "id": plain(letter.other)}
    return Tick("durable-sent", letter.created_at, _("sent to %(id)s: %(topic)s") % facts)


def _of_steps(history: History) -> Iterator[_Entry]:
    for entry in history.steps:
        step = entry.step
        begun = step.started_at or step.finished_at
        if begun is None:
            continue
        end = step.finished_at or (history.workflow.finished_at or history.now)
        is_wait = step.kind in _WAITS or entry.state == "retrying"
        kind = "durable-wait-time" if is_wait else "durable-run-time"
        lane = Lane(
            label=f"{plain(step.place)} {plain(step.name)}",
            title=_title(entry),
            state=entry.state,
            spans=[Span(kind, begun, max(begun, end))],
            note=_retries(step.retries),
            url=f"#step-{step.pk}",
            depth=1,
        )
        yield _Entry(begun, lane, None if is_wait else (begun, max(begun, end)))


def _title(entry: StepHistory) -> str:
    facts = {
        "step": f"{plain(entry.step.place)} {plain(entry.step.name)}",
        "took": spoken_seconds(entry.seconds),
        "attempt": entry.step.attempt,
        "retries": entry.step.retries,
    }
    if entry.step.retries:
        return _("%(step)s: %(took)s, in attempt %(attempt)d, retries: %(retries)d") % facts
    return _("%(step)s: %(took)s, in attempt %(attempt)d") % facts


def _retries(count: int) -> str:
    return ngettext("%(n)d retry", "%(n)d retries", count) % {"n": count} if count else ""


def _of_children(history: History, around: Surroundings, addresses: Addresses) -> Iterator[_Entry]:
    for child in around.children:
        lane = Lane(
            label=f"\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS} {plain(child.name)}",
            title=_("child %(id)s: %(status)s") % {"id": plain(child.pk), "status": child.get_status_display()},
            state=child.status,
            spans=list(_lifetime(child, history.now)),
            note=_attempts(child.attempt),
            url=addresses.page("workflow", child.pk),
            depth=2,
        )
        # Of one that waits, nobody sees from here how long it has done so: what counts as busy is its beginning.
        end = child.started_at if child.status == Status.WAITING else child.finished_at or history.now
        yield _Entry(child.created_at, lane, (child.created_at, max(child.created_at, end or history.now)))
