"""One workflow with its steps as it is read for people: however large its payloads and however many its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Left, Length
from django.utils.translation import gettext as _

from durable_django.base.clock import Now
from durable_django.management.reasons.asking import why
from durable_django.models.step import Step, state_of
from durable_django.models.workflow import Workflow
from durable_django.redaction import Redact

#: Longer payloads are not shown: of a part nobody can tell where a secret in it begins (characters).
MOST_OF_WORKFLOW = 100_000
MOST_OF_STEP = 20_000
MOST_OF_ERROR = 100_000


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
        """Return the description of the text, of one that was not read in full its length; None if there is none."""
        if self.head is None:
            return None
        if self.is_cut:
            return _("(%(count)s characters, too many to be shown)") % {"count": self.length}
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
    One workflow, its payloads bounded, and its last steps, or its first ones.

    now         the database's clock when it was read
    left_out    how many earlier steps there are, or later ones
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
    """Return the rows with only the beginnings of their payloads, the database's clock, and their steps counted."""
    steps = Step.objects.filter(workflow_id=OuterRef("pk")).order_by().values("workflow_id")
    count = Subquery(steps.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
    found: QuerySet[Workflow] = _bounded(
        rows, arguments=MOST_OF_WORKFLOW, output=MOST_OF_WORKFLOW, error=MOST_OF_ERROR
    ).annotate(now=Now(), step_count=Coalesce(count, 0))
    return found


def read(row: Workflow, most_steps: int, *, redact: Redact | None, are_first: bool = False) -> History:
    """
    Return the history of a row that without_payloads() has read: one query for the steps, a few for the situation.

    most_steps  so many; 0 for all
    redact      hides secrets in the situation; None: no error is told in it
    are_first   the first steps instead of the last ones
    """
    steps = [StepHistory(step, _output(step), _stored(step, "error")) for step in _some(row, most_steps, are_first)]
    return History(
        workflow=row,
        now=vars(row)["now"],
        arguments=_stored(row, "arguments"),
        output=_stored(row, "output"),
        error=_stored(row, "error"),
        steps=steps if are_first else steps[::-1],
        left_out=max(0, vars(row)["step_count"] - len(steps)),
        situation=why([row], redact)[row.pk],
    )


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from one moment to another, None if one of them is missing."""
    return None if start is None or end is None else (end - start).total_seconds()


def _some(row: Workflow, most: int, are_first: bool) -> QuerySet[Step]:  # noqa: FBT001 - read() names it
    """Return the first steps, or the last ones from the end (durable_step_key)."""
    steps = _bounded(
        Step.objects.using(row._state.db).filter(workflow_id=row.pk), output=MOST_OF_STEP, error=MOST_OF_ERROR
    )
    ordered: QuerySet[Step] = steps.order_by(*(("branch", "position") if are_first else ("-branch", "-position")))
    return ordered[:most] if most else ordered


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
