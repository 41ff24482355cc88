"""`durable schedules`: when each fires next, and the verbs of operators: pause, resume, revert, trigger, backfill."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from durable_django.base import registry
from durable_django.base.texts import plain
from durable_django.engine import context
from durable_django.exceptions import DurableError
from durable_django.management import arguments, asking, rendering
from durable_django.models.schedule import Schedule
from durable_django.models.schedule_queryset import ScheduleQuerySet

_HEADER = ("name", "state", "next", "last", "cron", "zone", "workflow", "error")
_SHOWN = (
    "name", "workflow", "cron", "timezone", "queue", "catch_up", "overlap", "jitter_seconds", "is_paused", "is_retired",
    "is_edited", "next_at", "fired_until", "error",
)  # fmt: skip
#: What has become of schedules by each verb.
_DONE = {"pause": "paused", "resume": "resumed", "revert": "reverted"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the names and the verbs."""
    parser.add_argument("names", nargs="*", metavar="NAME", type=arguments.text, help="these only; all otherwise")
    verbs = parser.add_mutually_exclusive_group()
    for verb, words in (
        ("pause", "let them fire no more; what runs goes on"),
        ("resume", "let them fire again"),
        ("revert", "make edited ones what the code declares again"),
        ("trigger", "start the workflow of each once, now"),
    ):
        verbs.add_argument(f"--{verb}", dest="change", action="store_const", const=verb, help=words)
    verbs.add_argument(
        "--backfill",
        nargs=2,
        metavar=("FROM", "UNTIL"),
        type=arguments.date_or_time,
        help="start what is missing of the ticks from one date or time until before another one",
    )
    parser.add_argument("--dry-run", action="store_true", help="of a backfill: only tell what would be started")
    parser.add_argument("--yes", action="store_true", help="of a backfill: do not ask")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """List the schedules, or change those that are named. Raises CommandError if one of them does not exist."""
    rows = _named(options["names"])
    verb = "backfill" if options["backfill"] else options["change"]
    if options["dry_run"] and verb != "backfill":
        raise CommandError("--dry-run is for --backfill.", returncode=2)
    if verb is None:
        _show(command, rows, options)
        return
    if not options["names"]:
        raise CommandError(f"Say which schedules to {verb}: their names.", returncode=2)
    try:
        _VERBS.get(verb, _change)(command, rows, options)
    except (DurableError, ValueError, TypeError) as error:
        raise CommandError(str(error)) from error


def _named(names: Sequence[str]) -> ScheduleQuerySet:
    rows: ScheduleQuerySet = Schedule.objects.using(context.alias_of_workflows()).order_by("name")
    if not names:
        return rows
    known = set(rows.values_list("name", flat=True))
    for name in names:
        if name not in known:
            raise CommandError(f"There is no schedule {plain(name)!r}.{registry.nearest(name, sorted(known))}")
    return rows.filter(name__in=names)


def _change(command: BaseCommand, rows: ScheduleQuerySet, options: dict[str, Any]) -> None:
    verb = options["change"]
    changed = int(getattr(rows, verb)())
    if options["json"]:
        command.stdout.write(rendering.dumps({_DONE[verb]: changed}))
    else:
        command.stdout.write(f"{changed} {'schedule' if changed == 1 else 'schedules'} {_DONE[verb]}.")


def _trigger(command: BaseCommand, rows: ScheduleQuerySet, options: dict[str, Any]) -> None:
    _tell(command, "triggered", rows.triggered(), options)


def _backfill(command: BaseCommand, rows: ScheduleQuerySet, options: dict[str, Any]) -> None:
    start, end = options["backfill"]
    missing = rows.backfilled(start, end, dry_run=True)
    if options["dry_run"]:
        _tell(command, "would_backfill", missing, options)
        return
    if missing and not options["yes"]:
        count = len(missing)
        asking.require_yes(command, f"{count} {'tick is' if count == 1 else 'ticks are'} missing", "backfill")
    _tell(command, "backfilled", rows.backfilled(start, end), options)


_VERBS = {"trigger": _trigger, "backfill": _backfill}


def _tell(command: BaseCommand, done: str, ids: list[str], options: dict[str, Any]) -> None:
    """Print the ids of workflows, one on each line."""
    if options["json"]:
        command.stdout.write(rendering.dumps({done: ids}))
    elif ids:
        command.stdout.write("\n".join(map(plain, ids)))
    else:
        command.stderr.write("No tick is missing there.")


def _show(command: BaseCommand, rows: ScheduleQuerySet, options: dict[str, Any]) -> None:
    """Print them by name, in one query that reads no context."""
    found = rows.defer("encoded_context")
    if options["json"]:
        command.stdout.write(rendering.dumps([rendering.facts(row, _SHOWN) for row in found]))
    elif lines := [_line(row) for row in found]:
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
