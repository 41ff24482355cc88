"""`durable list`: the newest workflows that the filters leave, and why each does not go on, in a few cheap queries."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from durable_django.base.clock import Now
from durable_django.management import arguments, rendering, selection
from durable_django.management.naming import spoken_names
from durable_django.management.reasons.asking import why

_HEADER = ("id", "workflow", "status", "queue", "attempt", "created", "took", "why")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the filters and the limit."""
    selection.add_filters(parser)
    parser.add_argument("--limit", type=arguments.number, default=50, metavar="N", help="at most so many (50)")


def show(command: BaseCommand, options: dict[str, Any]) -> None:
    """Print the list: payloads are read only to name tasks, and the index on created_at gives the order."""
    limit = options["limit"]
    rows = selection.select(options).order_by("-created_at", "-pk").only(*rendering.LISTED).annotate(now=Now())
    found = list(rows[: limit + 1])
    situations = why(found[:limit])
    if options["json"]:
        listed = [rendering.listed(workflow, situations[workflow.pk]) for workflow in found[:limit]]
        command.stdout.write(rendering.dumps(listed))
    elif found:
        names = spoken_names(found[:limit])
        lines = [rendering.line(workflow, names[workflow.pk], situations[workflow.pk]) for workflow in found[:limit]]
        command.stdout.write(rendering.table(_HEADER, lines, command.style, status=2))
    else:
        command.stdout.write(" ".join(["No workflow fits.", selection.hints(options)]).rstrip())
    if len(found) > limit:
        command.stderr.write(f"Only the newest {limit} are shown: see --limit, or filter.")
