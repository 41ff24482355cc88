"""`durable show`: one workflow in the terminal, its facts and what happened when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from durable_django.base import payloads
from durable_django.base.texts import plain, spoken_seconds
from durable_django.management.rendering import cell, table
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow

_LONGEST_LINE = 200


def describe(workflow: Workflow, steps: Sequence[Step]) -> str:
    """Return facts, steps and outcome as text."""
    return "\n".join([*_facts(workflow), "", _steps(workflow, steps), "", *_outcome(workflow)]).rstrip()


def _facts(workflow: Workflow) -> Iterator[str]:
    call = plain(payloads.describe_call(workflow.arguments, _LONGEST_LINE))
    yield f"{plain(workflow.pk)}  {plain(workflow.name)}{call}"
    facts: dict[str, Any] = {
        "status": f"{workflow.status}{_why(workflow)}",
        "queue": f"{workflow.queue}, priority {workflow.priority}",
        "attempt": f"{workflow.attempt}, {workflow.recoveries} lost in a row, at most {workflow.max_recoveries}",
        "worker": workflow.worker,
        "created": workflow.created_at,
        "began": workflow.started_at,
        "due": workflow.run_after,
        "deadline": workflow.deadline,
        "ended": workflow.finished_at,
        "attributes": workflow.attributes or None,
    }
    for name, value in facts.items():
        if value is not None:
            yield f"  {name:<11}{cell(value, _LONGEST_LINE)}"


def _why(workflow: Workflow) -> str:
    reason = workflow.reason or (f"waits for {workflow.waiting_for}" if workflow.waiting_for else "")
    return f" ({reason})" if reason else ""


def _steps(workflow: Workflow, steps: Sequence[Step]) -> str:
    if not steps:
        return "  no step is recorded"
    header = ("", "step", "state", "attempt", "retries", "start", "took", "what came of it")
    rows = [
        (
            step.position,
            step.name,
            step.state,
            step.attempt,
            step.retries,
            spoken_seconds(_between(workflow.started_at, step.started_at)),
            spoken_seconds(_between(step.started_at, step.finished_at)),
            payloads.describe_error_line(step.error) or payloads.describe_value(step.output),
        )
        for step in steps
    ]
    return table(header, rows)


def _outcome(workflow: Workflow) -> Iterator[str]:
    if workflow.error is not None:
        yield f"  {workflow.status}: {plain(payloads.describe_error_line(workflow.error))}"
    elif workflow.finished_at is not None:
        yield f"  result: {plain(payloads.describe_value(workflow.output))[:_LONGEST_LINE]}"


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()
