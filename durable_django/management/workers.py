"""`durable workers`: which worker processes live, by the database's clock, and what they hold; how one is drained."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import BooleanField, Case, Count, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce

from durable_django.base.clock import Now, SecondsUntil
from durable_django.base.texts import plain, spoken_seconds
from durable_django.engine import context
from durable_django.management import arguments, rendering
from durable_django.models.worker import Worker, WorkerQuerySet
from durable_django.models.workflow import Workflow

_HEADER = ("worker", "state", "host", "process", "queues", "threads", "holds", "heard of", "lease", "started")
_SHOWN = (
    "id", "name", "application", "hostname", "pid", "queues", "threads", "takes_slots", "is_draining", "must_drain",
    "has_lease", "held", "started_at", "heartbeat_at", "lease_expires_at", "lease_seconds",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which are meant, and the verb."""
    parser.add_argument(
        "names", nargs="*", metavar="WORKER", type=arguments.text, help="these only, as they are listed, or by id"
    )
    parser.add_argument(
        "--application", action="append", type=arguments.text, metavar="NAME", help="of this project; several: of one"
    )
    parser.add_argument("--all", action="store_true", help="also those that are gone")
    parser.add_argument(
        "--drain", action="store_true", help="let them claim nothing more, and end when what they run has ended"
    )


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """List workers, or drain those that are named. Raises CommandError if one of the names is that of none."""
    if options["drain"]:
        _drain(command, options)
    else:
        _show(command, options)


def _show(command: BaseCommand, options: dict[str, Any]) -> None:
    """Print them in one query, the newest first: those that live, and those that are gone and still hold something."""
    rows = _named(_rows(options), options["names"])
    rows = [row for row in rows if options["all"] or options["names"] or row.has_lease or row.held]
    if options["json"]:
        command.stdout.write(rendering.dumps([rendering.facts(row, _SHOWN) for row in rows]))
    elif rows:
        lines = [_line(row) for row in rows]
        command.stdout.write(rendering.table(_HEADER, lines, command.style, status=1))
    else:
        command.stdout.write("No worker is there: start one with manage.py worker.")


def _drain(command: BaseCommand, options: dict[str, Any]) -> None:
    if not options["names"]:
        raise CommandError("Say which workers to drain: see manage.py durable workers.", returncode=2)
    named = _named([row for row in _rows(options) if row.has_lease], options["names"], "live worker")
    rows: WorkerQuerySet = Worker.objects.using(context.alias_of_workflows())
    count = rows.filter(pk__in=[row.pk for row in named]).drain()
    if options["json"]:
        command.stdout.write(rendering.dumps({"drained": count}))
    else:
        said = "worker claims" if count == 1 else "workers claim"
        command.stdout.write(f"{count} {said} nothing more from the next heartbeat on.")


def _named(rows: list[Any], names: list[str], what: str = "worker") -> list[Any]:
    """Return those that have one of the names. Raises CommandError for a name that none of them has."""
    for name in names:
        if not any(name in {row.pk, str(row)} for row in rows):
            raise CommandError(f"There is no {what} {plain(name)!r}. See: manage.py durable workers")
    return [row for row in rows if row.pk in names or str(row) in names] if names else rows


def _rows(options: dict[str, Any]) -> list[Any]:
    alias = context.alias_of_workflows()
    # Index durable_workflow_owned.
    held = Workflow.objects.using(alias).filter(worker=OuterRef("pk")).order_by().values("worker")
    stands = Case(When(lease_expires_at__gt=Now(), then=Value(True)), default=Value(False), output_field=BooleanField())
    rows = Worker.objects.using(alias).annotate(
        has_lease=stands,
        held=Coalesce(Subquery(held.annotate(n=Count("pk")).values("n")), 0),
        lease_seconds=SecondsUntil("lease_expires_at"),
        heard_seconds=SecondsUntil("heartbeat_at"),
    )
    if options["application"]:
        rows = rows.filter(application__in=options["application"])
    return list(rows.order_by("-started_at", "pk"))


def _line(row: Any) -> list[str]:
    queues = ", ".join(map(str, row.queues)) if row.queues else "all"
    lease = spoken_seconds(row.lease_seconds) if row.has_lease else "over"
    facts = (str(row), _state(row), row.hostname, row.pid, queues, row.threads, row.held)
    heard = f"{spoken_seconds(-row.heard_seconds)} ago"
    return [*map(rendering.cell, facts), heard, lease, rendering.cell(row.started_at)]


def _state(row: Any) -> str:
    if not row.has_lease:
        return "gone"
    if row.is_draining or row.must_drain:
        return "draining"
    return "alive" if row.takes_slots else "calling"
