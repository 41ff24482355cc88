"""How commands show workflows: aligned columns for people, plain objects for JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from durable_django.base import payloads
from durable_django.base.texts import plain, shortened
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow

#: What list reads: no payload column, however many rows.
LISTED = (
    "id", "name", "status", "queue", "priority", "attempt", "recoveries", "worker", "waiting_for", "run_after",
    "deadline", "created_at", "started_at", "finished_at", "reason",
)  # fmt: skip
_LONGEST_CELL = 60


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return aligned columns; control characters are shown escaped, long cells are cut."""
    cells = [list(header), *([cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def cell(value: Any, longest: int = _LONGEST_CELL) -> str:
    """Return a value as one short line that cannot control the terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return (timezone.localtime(value) if timezone.is_aware(value) else value).strftime("%Y-%m-%d %H:%M:%S")
    return shortened(plain(value), longest)


def listed(workflow: Workflow) -> dict[str, Any]:
    """Return one row of the list for JSON."""
    return {name: _json(getattr(workflow, name)) for name in LISTED}


def shown(workflow: Workflow, steps: Sequence[Step]) -> dict[str, Any]:
    """Return everything about one workflow for JSON."""
    return {
        **listed(workflow),
        "attributes": workflow.attributes,
        "arguments": payloads.describe_call(workflow.arguments),
        "result": payloads.describe_value(workflow.output),
        "error": payloads.describe_error_line(workflow.error),
        "steps": [_step(step) for step in steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "position": step.position,
        "name": step.name,
        "kind": step.kind,
        "state": step.state,
        "attempt": step.attempt,
        "retries": step.retries,
        "started_at": _json(step.started_at),
        "finished_at": _json(step.finished_at),
        "result": payloads.describe_value(step.output),
        "error": payloads.describe_error_line(step.error),
    }


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def dumps(value: Any) -> str:
    """Return JSON for a terminal or a pipe."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
