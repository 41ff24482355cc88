"""`durable schedules`: when each schedule fires next, and why one does not."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from durable_django.engine import context
from durable_django.management import rendering
from durable_django.models.schedule import Schedule

_HEADER = ("name", "state", "next", "last", "cron", "zone", "workflow", "error")
_SHOWN = (
    "name", "workflow", "cron", "timezone", "queue", "catch_up", "overlap", "jitter_seconds", "is_paused", "is_retired",
    "is_edited", "next_at", "fired_until", "error",
)  # fmt: skip


def show(command: BaseCommand, options: dict[str, Any]) -> None:
    """Print them by name, in one query that reads no context."""
    rows = Schedule.objects.using(context.alias_of_workflows()).order_by("name").defer("encoded_context")
    if options["json"]:
        command.stdout.write(rendering.dumps([rendering.facts(row, _SHOWN) for row in rows]))
    elif lines := [_line(row) for row in rows]:
        command.stdout.write(rendering.table(_HEADER, lines, command.style, status=1))
    else:
        command.stdout.write("There are no schedules.")


def _line(row: Schedule) -> list[str]:
    facts = (row.name, _state(row), row.next_at, row.fired_until, row.cron, row.timezone, row.workflow, row.error)
    return [rendering.cell(fact) for fact in facts]


def _state(row: Schedule) -> str:
    if row.is_retired:
        return "retired"
    if row.is_paused:
        return "paused"
    if row.error:
        return "broken"
    return "edited" if row.is_edited else "on"
