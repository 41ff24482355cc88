"""`durable prune`: at once what workers do bit by bit, or all that ended before a moment."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from durable_django.base.clock import Later
from durable_django.base.texts import number_of
from durable_django.management import arguments, asking, rendering, selection
from durable_django.models import retention
from durable_django.models.status import Status
from durable_django.models.workflow_queryset import WorkflowQuerySet


class Found(NamedTuple):
    """How many would be pruned, by how they ended, and how many bare rows would be deleted."""

    ended: Counter[str]
    expired: int

    @property
    def total(self) -> int:
        """How many workflows are dealt with."""
        return self.ended.total() + self.expired


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the filters, of which the age counts from the end."""
    selection.add_filters(parser, has_age=False)
    parser.add_argument(
        "--older-than",
        dest="ended",
        type=arguments.moment,
        metavar="WHEN",
        help="what ended so long ago, or until then, whatever its retention; else what is past its retention",
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell how many there are")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """Prune what is chosen and report how many. Raises CommandError if it may not, or is stopped."""
    rows: Any = selection.select(options)
    found = _found(rows, options["ended"])
    if options["dry_run"]:
        command.stdout.write(_foretold(found, is_json=options["json"]))
        return
    if found.total and not options["yes"]:
        asking.require_yes(command, _words(found), "prune")
    command.stdout.write(_report(*_prune(command, rows, options["ended"], found.total), is_json=options["json"]))


def _parts(rows: WorkflowQuerySet, ended: datetime | Later | None) -> Iterator[WorkflowQuerySet]:
    return retention.due(rows) if ended is None else retention.ended_before(rows, ended)


def _expired(rows: WorkflowQuerySet, ended: datetime | Later | None) -> WorkflowQuerySet:
    """Return the bare rows that go too: none where an age is given, which says nothing of ids."""
    return retention.expired(rows) if ended is None else rows.none()


def _found(rows: WorkflowQuerySet, ended: datetime | Later | None) -> Found:
    counts: Counter[str] = Counter()
    for part in _parts(rows, ended):
        counts.update(dict(retention.free(part).order_by().values_list("status").annotate(Count("pk"))))
    return Found(counts, retention.forgettable(_expired(rows, ended)).count())


def _prune(command: BaseCommand, rows: WorkflowQuerySet, ended: datetime | Later | None, total: int) -> tuple[int, int]:
    """Prune, then delete, transaction by transaction. Return how many of each."""
    progress = asking.Progress(command, total)
    counts = {"pruned": 0, "deleted": 0}
    steps = {"pruned": retention.prune(_parts(rows, ended)), "deleted": retention.delete(_expired(rows, ended))}
    try:
        for what, iteration in steps.items():
            for count in iteration:
                counts[what] += count
                progress.add(count)
    except KeyboardInterrupt:
        progress.end()
        raise CommandError(
            f"Stopped: {counts['pruned']} pruned, {counts['deleted']} deleted; the rest stays."
        ) from None
    progress.end()
    return counts["pruned"], counts["deleted"]


def _words(found: Found) -> str:
    states = [f"{found.ended[status]} {status}" for status in Status.terminal() if found.ended[status]]
    bare = [f"{found.expired} bare to be deleted"] if found.expired else []
    fit = number_of(found.total, "workflow fits", "workflows fit")
    return f"{fit} ({', '.join([*states, *bare])})" if found.total else fit


def _foretold(found: Found, *, is_json: bool) -> str:
    if not is_json:
        return f"{_words(found)}. Nothing was changed."
    return rendering.dumps({"would_prune": dict(found.ended), "would_delete": found.expired})


def _report(pruned: int, deleted: int, *, is_json: bool) -> str:
    if is_json:
        return rendering.dumps({"pruned": pruned, "deleted": deleted})
    text = f"{number_of(pruned, 'workflow', 'workflows')} pruned."
    more = f"{number_of(deleted, 'bare row', 'bare rows')} deleted."
    return f"{text} {more}" if deleted else text
