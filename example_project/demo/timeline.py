"""The steps of one workflow as a table: who did what, when, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from durable_django.models import Workflow

HEADING = f"{'position':>8}  {'step':<20} {'attempt':>7} {'retries':>7} {'start':>9} {'took':>9}"


def timeline(workflow: Workflow) -> Iterator[str]:
    """Yield a heading and a line for each step; times in seconds since the workflow was claimed first."""
    yield f"{workflow.pk}: {workflow.status} in attempt {workflow.attempt}"
    yield HEADING
    for step in workflow.steps.order_by("branch", "position"):
        start = (step.started_at - workflow.started_at).total_seconds()
        took = (step.finished_at - step.started_at).total_seconds()
        yield f"{step.position:>8}  {step.name:<20} {step.attempt:>7} {step.retries:>7} {start:>7.2f} s {took:>7.2f} s"
