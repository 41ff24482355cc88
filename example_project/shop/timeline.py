"""What happened when in a workflow: its steps and waits with moments in seconds since it was first claimed."""

from __future__ import annotations

from dataclasses import dataclass

from durable_django.models import Step, Workflow

#: Reports of progress: the page shows what they say, not that they were made.
REPORTS = ("set_event", "write_stream")


@dataclass(frozen=True)
class Moment:
    """
    One step, or one wait.

    attempt  the claim of the workflow in which it was recorded: a higher one than before means that the workflow has
             waited, or that its worker died and another took over
    start    seconds since the workflow was claimed first
    took     seconds, over all retries; None while it waits for the next one
    """

    position: int
    name: str
    state: str
    attempt: int
    retries: int
    start: float
    took: float | None

    @property
    def end(self) -> float:
        """When it ended, in seconds since the workflow was claimed first; its start while it waits."""
        return self.start + (self.took or 0.0)


def timeline(workflow: Workflow) -> list[Moment]:
    """Return the steps and waits in their order, in one query."""
    steps = workflow.steps.exclude(kind__in=REPORTS).order_by("branch", "position")
    return [_moment(step, workflow) for step in steps]


def _moment(step: Step, workflow: Workflow) -> Moment:
    took = (step.finished_at - step.started_at).total_seconds() if step.finished_at else None
    return Moment(
        position=step.position,
        name=step.name,
        state=step.state,
        attempt=step.attempt,
        retries=step.retries,
        start=(step.started_at - workflow.started_at).total_seconds(),
        took=took,
    )
