"""How commands show workflows: aligned columns for people, plain objects for programs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.core.management.color import Style
from django.utils import timezone

from durable_django.base import payloads
from durable_django.base.payloads.decoding import parse
from durable_django.base.texts import plain, shortened, spoken_seconds
from durable_django.exceptions import UnreadablePayload
from durable_django.management.history import History, StepHistory, Stored, seconds_between
from durable_django.management.showing import Showing, parameters_of
from durable_django.models.workflow import Workflow

#: What list reads: no payload column, however many rows.
LISTED = (
    "id", "name", "status", "queue", "priority", "attempt", "recoveries", "worker", "waiting_for", "run_after",
    "deadline", "created_at", "started_at", "finished_at", "reason", "partition_key", "failures", "pruned_at",
    "application",
)  # fmt: skip
_ONLY_SHOWN = (
    "claimed_at", "max_recoveries", "timeout_seconds", "started_by", "parent_id", "forked_from_id", "schedule",
    "deduplication_key",
)  # fmt: skip
_LONGEST_CELL = 60
_LONGEST_SITUATION = 120
_COLOURS = {
    "succeeded": "SUCCESS",
    "done": "SUCCESS",
    "failed": "ERROR",
    "broken": "ERROR",
    "cancelled": "WARNING",
    "paused": "WARNING",
    "retrying": "WARNING",
    "waiting": "WARNING",
    "running": "MIGRATE_LABEL",
}


def coloured(style: Style, word: str, text: str) -> str:
    """Return the text in the colour of a status, or of a step's state, where the terminal has colours."""
    paint: Callable[[str], str] = getattr(style, _COLOURS[word]) if word in _COLOURS else str
    return paint(text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], style: Style, *, status: int) -> str:
    """
    Return aligned columns.

    rows    cells as cell() makes them
    status  the column that is coloured
    """
    lines = [header, *rows]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(header))]
    padded = [[_padded(text, width) for text, width in zip(line, widths, strict=True)] for line in lines]
    for line, cells in zip(rows, padded[1:], strict=True):
        cells[status] = coloured(style, line[status], cells[status])
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def cell(value: Any, longest: int = _LONGEST_CELL) -> str:
    """Return a value as one short line that cannot control the terminal."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return (timezone.localtime(value) if timezone.is_aware(value) else value).strftime("%Y-%m-%d %H:%M:%S")
    return shortened(plain(value), longest)


def line(workflow: Workflow, name: str, situation: str) -> list[str]:
    """Return one row of the list for people, what to call it, and why it waits: ids in full, to be copied."""
    took = spoken_seconds(seconds_between(workflow.started_at, workflow.finished_at or vars(workflow)["now"]))
    facts = (name, workflow.status, workflow.queue, workflow.attempt, workflow.created_at)
    return [cell(workflow.pk, 10**6), *(cell(fact) for fact in facts), took, cell(situation, _LONGEST_SITUATION)]


def listed(workflow: Workflow, situation: str) -> dict[str, Any]:
    """Return one row of the list for programs."""
    took = seconds_between(workflow.started_at, workflow.finished_at)
    facts = {name: _json(getattr(workflow, name)) for name in LISTED}
    return {**facts, "duration_seconds": took, "situation": situation}


def shown(history: History, showing: Showing) -> dict[str, Any]:
    """Return everything about one workflow for programs, without its secrets."""
    workflow = history.workflow
    return {
        **listed(workflow, history.situation),
        **{name: _json(getattr(workflow, name)) for name in _ONLY_SHOWN},
        "attributes": showing.attributes(history),
        "arguments": _value(history.arguments, lambda tree: _call(tree, workflow.name, showing)),
        "result": _value(history.output, showing.tree),
        "error": _value(history.error, showing.tree),
        "steps": [_step(step, showing) for step in history.steps],
        "steps_left_out": history.left_out,
    }


def facts(row: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return some facts of a row for programs."""
    return {name: _json(getattr(row, name)) for name in names}


def _step(history: StepHistory, showing: Showing) -> dict[str, Any]:
    step = history.step
    names = ("branch", "position", "name", "kind", "attempt", "retries", "started_at", "finished_at", "next_retry_at")
    return {
        **{name: _json(getattr(step, name)) for name in names},
        "state": history.state,
        "duration_seconds": history.seconds,
        "result": _value(history.output, showing.tree),
        "error": _value(history.error, showing.tree),
    }


def _call(tree: Any, name: str, showing: Showing) -> Any:
    return payloads.redacted_call(tree, showing.redact, parameters_of(name))


def _value(stored: Stored, redacted: Callable[[Any], Any]) -> Any:
    """Return what the payload says as JSON, what JSON has no word for as {"$py": type, "v": content}."""
    if stored.head is None:
        return None
    if stored.is_cut:
        return {"unreadable": f"{stored.length} characters, too many to be shown"}
    try:
        found = redacted(parse(stored.head))
        json.dumps(found, allow_nan=False)
    except UnreadablePayload as error:
        return {"unreadable": str(error)}
    except (ValueError, RecursionError) as error:
        return {"unreadable": f"It does not fit into JSON: {error}"}
    return found


def _json(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (value if timezone.is_aware(value) else timezone.make_aware(value)).isoformat()


def dumps(value: Any) -> str:
    """Return JSON for a terminal or a pipe, in ASCII: no value can control the one or break the other."""
    return json.dumps(value, indent=2)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return how many columns of a terminal the text takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_WIDE.get(unicodedata.east_asian_width(c), 1) for c in text if not unicodedata.combining(c))


_WIDE = {"W": 2, "F": 2}
