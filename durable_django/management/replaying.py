"""`durable replay`: whether the code of today fits the histories of the workflows that are under way."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Exists, OuterRef

from durable_django.base.texts import plain
from durable_django.engine import rehearsing
from durable_django.management import arguments, asking, changing, rendering, selection
from durable_django.models.status import Status
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow

_AT_ONCE = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ids and filters."""
    parser.add_argument("ids", nargs="*", metavar="ID", type=arguments.text, help="these only")
    selection.add_filters(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """
    Rehearse each, and print the first divergence of those that do not fit.

    Raises CommandError if there is one, or if some that were named are pruned.
    """
    if options["ids"] and selection.is_filtered(options):
        raise CommandError("Say which workflows: their ids, or filters (see --help), not both.", returncode=2)
    named = dict(selection.by_ids(options["ids"]))
    rows = _chosen(options, named)
    progress = asking.Progress(command, rows.count())
    misfits: list[dict[str, str]] = []
    count = 0
    for workflow in _each(rows):
        count += 1
        error = rehearsing.rehearse(workflow, rows.db)
        if error is not None:
            facts = {"id": workflow.pk, "name": workflow.name, "status": workflow.status}
            misfits.append({**facts, "error": f"{type(error).__name__}: {error}"})
        progress.add(1)
    progress.end()
    _tell(command, count, misfits, is_json=options["json"])
    changing.require_all("replayed", [key for key, status in named.items() if status == "pruned"])


def _chosen(options: dict[str, Any], named: Collection[str]) -> Any:
    """Return those with a history: the live ones, unless ids or a status say otherwise."""
    if named:
        rows: Any = selection.workflows().filter(pk__in=named)
    else:
        rows = selection.select(options)
        rows = rows if options["status"] else rows.filter(status__in=Status.live())
    # What a task does is a step of its own: the workflow around it is this package's code.
    steps = Step.objects.using(rows.db).filter(workflow_id=OuterRef("pk"), finished_at__isnull=False)
    return rows.filter(Exists(steps), pruned_at__isnull=True).exclude(name__startswith="durable_django.")


def _each(rows: Any) -> Iterator[Workflow]:
    """Yield them in order of id; by pages, since each is looked at in a transaction of its own."""
    page = list(rows.order_by("pk")[:_AT_ONCE])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1].pk).order_by("pk")[:_AT_ONCE])


def _tell(command: BaseCommand, count: int, misfits: list[dict[str, str]], *, is_json: bool) -> None:
    fit = count - len(misfits)
    if is_json:
        command.stdout.write(rendering.dumps({"fit": fit, "misfits": misfits}))
    else:
        for each in misfits:
            facts = "  ".join(plain(each[fact]) for fact in ("id", "name", "status"))
            command.stdout.write(f"{facts}\n  {plain(each['error'])}")
        command.stdout.write(f"{fit} of {count} histories fit.")
    if misfits:
        raise CommandError("Mend the code before it runs them: they would be paused.")
