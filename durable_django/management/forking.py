"""`durable fork`: new workflows that share what others have recorded before a step, or before their failure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError

from durable_django.base.texts import number_of, plain
from durable_django.exceptions import DurableError
from durable_django.management import arguments, asking, changing, rendering, selection
from durable_django.models.forking import Fork
from durable_django.models.status import Status
from durable_django.models.workflow_queryset import WorkflowQuerySet


class Outcome:
    """
    What has come of it.

    forks      ids of the new forks, by those of their origins
    unchanged  why others were left as they are
    missed     of these, the ones that have no fork
    refused    why others could not be forked so
    """

    def __init__(self) -> None:
        self.forks: dict[str, str] = {}
        self.unchanged: dict[str, str] = {}
        self.missed: list[str] = []
        self.refused: dict[str, str] = {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ids, filters, the place, and what the forks have otherwise than their origins."""
    changing.add_chosen(parser)
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--from-step",
        type=_place,
        metavar="STEP",
        help="position, place such as 3.2.1, or name: what comes before it is shared; nothing by default",
    )
    place.add_argument("--from-failure", action="store_true", help="all but the errors at the end is shared")
    parser.add_argument("--id", type=arguments.text, help="idempotency key of the fork of one workflow")
    parser.add_argument(
        "--args",
        dest="arguments",
        type=arguments.arguments,
        metavar="JSON",
        help="other arguments: array of positional ones, or object of keyword arguments",
    )
    parser.add_argument("--to-queue", type=arguments.text, metavar="NAME", help="another declared queue")
    parser.add_argument("--to-version", type=arguments.text, metavar="TEXT", help="another version")
    parser.add_argument(
        "--replace-child",
        action="append",
        type=_pair,
        metavar="OLD=NEW",
        help="ids of a child, and of the workflow whose result to read instead",
    )


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """Fork the chosen workflows and print the ids of the forks. Raises CommandError if some could not be forked."""
    changing.require_chosen(options)
    if options["id"] and len(set(options["ids"])) != 1:
        raise CommandError("--id is for the fork of one workflow: name that one by its id.", returncode=2)
    _require_valid(options)
    outcome = Outcome()
    rows, keys = _named(options, outcome) if options["ids"] else _filtered(command, options)
    _fork(command, rows, keys, options, outcome)
    _report(command, outcome, options)
    if outcome.refused:
        raise CommandError(_refusals(outcome))
    changing.require_all("forked", outcome.missed)


def _require_valid(options: dict[str, Any]) -> None:
    """Raise CommandError for what can be refused before anybody is asked."""
    try:
        Fork(**_given(options))
    except (DurableError, ValueError) as error:
        raise CommandError(str(error)) from error


def _named(options: dict[str, Any], outcome: Outcome) -> tuple[WorkflowQuerySet, list[str]]:
    chosen = dict(selection.by_ids(options["ids"]))
    allowed = (Status.FAILED,) if options["from_failure"] else tuple(Status)
    outcome.missed = [key for key, status in chosen.items() if status not in allowed]
    outcome.unchanged.update((key, chosen[key]) for key in outcome.missed)
    return selection.workflows(), [key for key in chosen if key not in outcome.unchanged]


def _filtered(command: BaseCommand, options: dict[str, Any]) -> tuple[WorkflowQuerySet, list[str]]:
    rows: Any = selection.select(options).filter(pruned_at__isnull=True)
    if options["from_failure"]:
        rows = rows.filter(status=Status.FAILED)
    counts = changing.counted(rows)
    if not counts:
        changing.hint(command, options)
        return rows, []
    changing.confirm(command, "fork", counts, options)
    return rows, list(rows.order_by("pk").values_list("pk", flat=True))


def _fork(
    command: BaseCommand, rows: WorkflowQuerySet, keys: Sequence[str], options: dict[str, Any], outcome: Outcome
) -> None:
    progress = asking.Progress(command, len(keys))
    try:
        for key in keys:
            _fork_one(rows, key, options, outcome)
            progress.add(1)
    except KeyboardInterrupt:
        progress.end()
        raise CommandError(f"Stopped: {_words(len(outcome.forks))} The rest can be forked by the same call.") from None
    progress.end()


def _fork_one(rows: WorkflowQuerySet, key: str, options: dict[str, Any], outcome: Outcome) -> None:
    try:
        made = _made(rows.filter(pk=key), key, options)
    except (DurableError, ObjectDoesNotExist, ValueError, TypeError) as error:
        outcome.refused[key] = str(error)
        return
    outcome.forks.update(made)
    if not made and options["ids"]:
        outcome.unchanged[key] = "forked so already"


def _made(one: WorkflowQuerySet, key: str, options: dict[str, Any]) -> dict[str, str]:
    if not options["id"]:
        return one.forked(**_given(options))
    is_there = selection.workflows().filter(pk=options["id"]).exists()
    fork = one.get().fork(id=options["id"], **_given(options))
    return {} if is_there else {key: str(fork.pk)}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the verb; arguments as one of the things that it takes."""
    args, kwargs = options["arguments"] or (None, None)
    return {
        "from_step": options["from_step"],
        "from_failure": options["from_failure"],
        "args": kwargs or args,
        "queue": options["to_queue"],
        "version": options["to_version"],
        "replacement_children": dict(options["replace_child"] or ()),
    }


def _place(given: str) -> int | str:
    """Return a position as a number; places and names stay."""
    text = arguments.text(given)
    return arguments.number(text) if text.isascii() and text.isdigit() else text


def _pair(given: str) -> tuple[str, str]:
    old, equals, new = arguments.text(given).partition("=")
    if not (old and equals and new):
        message = f"expected OLD=NEW, two ids, got {given[:200]!r}"
        raise argparse.ArgumentTypeError(message)
    return old, new


def _words(count: int) -> str:
    return f"{number_of(count, 'workflow', 'workflows')} forked."


def _report(command: BaseCommand, outcome: Outcome, options: dict[str, Any]) -> None:
    """Print the ids of the forks; what else there is to say stands beside them."""
    if options["json"]:
        more = {name: getattr(outcome, name) for name in ("unchanged", "refused") if getattr(outcome, name)}
        command.stdout.write(rendering.dumps({"forked": outcome.forks, **more}))
        return
    for fork in outcome.forks.values():
        command.stdout.write(plain(fork))
    command.stderr.write(_words(len(outcome.forks)))
    for key, why in outcome.unchanged.items():
        command.stderr.write(f"  {plain(key)} is {why}: left as it is.")


def _refusals(outcome: Outcome) -> str:
    reasons = list(dict.fromkeys(outcome.refused.values()))
    more = f"\n... and {len(reasons) - 10} more reasons." if len(reasons) > 10 else ""  # noqa: PLR2004 - a screen
    return "\n".join(reasons[:10]) + more
