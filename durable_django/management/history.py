"""One workflow with its steps as it is read for people: however large its payloads and however many its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Left, Length

from durable_django.base.clock import Now
from durable_django.base.texts import shortened
from durable_django.management import held_back
from durable_django.models import awaited
from durable_django.models.status import Status
from durable_django.models.step import Step, state_of
from durable_django.models.workflow import Workflow

#: Longer payloads are not read: their beginning is shown as it is stored (characters).
MOST_OF_WORKFLOW = 100_000
MOST_OF_STEP = 20_000
MOST_OF_ERROR = 100_000
#: How much is shown of a payload that is not read.
_HEAD = 500
_GONE = "its retention is over: arguments, steps and outcome are gone"


@dataclass(frozen=True)
class Stored:
    """A payload column: its text as far as it was read, and how long it is in the row."""

    head: str | None
    length: int | None

    @property
    def is_cut(self) -> bool:
        """Whether the row holds more than was read."""
        return self.head is not None and (self.length or 0) > len(self.head)

    def described(self, describe: Callable[[str], str | None]) -> str | None:
        """Return the description of the text, of one that was not read in full its beginning; None if there is none."""
        if self.head is None:
            return None
        if self.is_cut:
            return f"({self.length} characters, too many to be shown) {shortened(str(self.head), _HEAD)}"
        return describe(self.head)


@dataclass(frozen=True)
class StepHistory:
    """One step, its payloads bounded."""

    step: Step
    output: Stored
    error: Stored

    @property
    def state(self) -> str:
        """One of done, failed, retrying and waiting."""
        return state_of(is_finished=self.step.finished_at is not None, has_error=self.error.head is not None)

    @property
    def seconds(self) -> float | None:
        """How long it took, from its first call to its outcome; None while there is none."""
        return seconds_between(self.step.started_at, self.step.finished_at)


@dataclass(frozen=True)
class History:
    """
    One workflow, its payloads bounded, and its last steps.

    now         the database's clock when it was read
    left_out    how many earlier steps there are
    situation   why the workflow does not go on, in one sentence; empty if there is nothing to say
    """

    workflow: Workflow
    now: datetime
    arguments: Stored
    output: Stored
    error: Stored
    steps: Sequence[StepHistory]
    left_out: int
    situation: str

    @property
    def seconds(self) -> float | None:
        """How long it took from the first claim to the end, or until now; None if it has not begun."""
        return seconds_between(self.workflow.started_at, self.workflow.finished_at or self.now)


def without_payloads(rows: QuerySet[Workflow]) -> QuerySet[Workflow]:
    """Return the rows with only the beginnings of their payloads, and the database's clock beside them."""
    found: QuerySet[Workflow] = _bounded(
        rows, arguments=MOST_OF_WORKFLOW, output=MOST_OF_WORKFLOW, error=MOST_OF_ERROR
    ).annotate(now=Now())
    return found


def read(row: Workflow, most_steps: int) -> History:
    """
    Return the history of a row that without_payloads() has read: two or three queries.

    most_steps  the last so many; 0 for all
    """
    alias = row._state.db or "default"
    rows = Step.objects.using(alias).filter(workflow_id=row.pk)
    count = rows.count()
    # From the end of durable_step_key, then turned round.
    last = _bounded(rows, output=MOST_OF_STEP, error=MOST_OF_ERROR).order_by("-branch", "-position")
    steps = [StepHistory(step, _output(step), _stored(step, "error")) for step in _first(last, most_steps)]
    now: datetime = vars(row)["now"]
    return History(
        workflow=row,
        now=now,
        arguments=_stored(row, "arguments"),
        output=_stored(row, "output"),
        error=_stored(row, "error"),
        steps=steps[::-1],
        left_out=max(0, count - len(steps)),
        situation=_GONE if row.pruned_at is not None else _situation(row, now, alias),
    )


def _awaited(text: str) -> str:
    """Return in words what a row says that it waits for."""
    kind, _colon, what = text.partition(":")
    words = {
        awaited.FOR_TIME: "its time to wake",
        awaited.FOR_SEVERAL: "one of several things",
        "message": f"a message on topic {what!r}" if what else "a message",
        "child": f"the end of workflow {what!r}",
        "event": f"event {what!r}",
    }
    return words.get(kind, text)


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from one moment to another, None if one of them is missing."""
    return None if start is None or end is None else (end - start).total_seconds()


def _first(rows: QuerySet[Step], most: int) -> QuerySet[Step]:
    return rows[:most] if most else rows


def _bounded(rows: Any, **limits: int) -> Any:
    heads = {f"{column}_head": Left(column, most) for column, most in limits.items()}
    lengths = {f"{column}_length": Length(column) for column in limits}
    return rows.defer(*limits).annotate(**heads, **lengths)


def _stored(row: Workflow | Step, column: str) -> Stored:
    if isinstance(row, Workflow) and row.pruned_at is not None:
        return Stored(None, None)
    return Stored(vars(row)[f"{column}_head"], vars(row)[f"{column}_length"])


def _output(step: Step) -> Stored:
    """Return what came of it; what a call that waits has noted for itself is nothing for people."""
    return Stored(None, None) if step.finished_at is None else _stored(step, "output")


def _situation(row: Workflow, now: datetime, alias: str) -> str:
    is_later = row.run_after is not None and row.run_after > now
    if row.status == Status.QUEUED and (why := held_back.reason(row, alias)):
        return why
    if row.waiting_for == "code":
        return f"no worker that has looked at it knows {row.name!r}: start one with its code"
    if row.waiting_for == awaited.FOR_RETRY:
        return "tries again later after a failure" if is_later else "tries again now after a failure"
    if row.status == Status.WAITING and row.waiting_for:
        return f"waits for {_awaited(row.waiting_for)}"
    if row.status == Status.QUEUED and is_later:
        return "is not due yet"
    return row.reason
