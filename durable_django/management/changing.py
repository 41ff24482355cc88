"""`durable cancel`, `pause`, `resume` and `purge`: which workflows they change, how they ask, what they report."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from durable_django.base.texts import number_of, plain
from durable_django.management import arguments, asking, rendering, resuming, selection
from durable_django.models.status import Status
from durable_django.models.workflow_queryset import WorkflowQuerySet

#: Workflows that are changed between two looks of the bar, and between which Ctrl-C ends it.
_PART = 500


@dataclass(frozen=True)
class Verb:
    """
    One way to change workflows.

    done     what has become of them then
    acts_on  the states in which the verb of the queryset changes a workflow; it decides, this only counts
    goal     the states in which a workflow already is what the verb makes of it: nothing to do, and no error
    options  what the verb of the queryset takes
    """

    name: str
    done: str
    acts_on: tuple[Status, ...]
    goal: tuple[Status, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """
    What has come of it.

    unchanged  the states of those that were named and left as they are
    refused    why others could not be changed
    """

    changed: int
    unchanged: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


_LIVE = (Status.QUEUED, Status.RUNNING, Status.WAITING)
VERBS = {
    "cancel": Verb("cancel", "cancelled", (*_LIVE, Status.PAUSED), (Status.CANCELLED,), ("reason", "children")),
    "pause": Verb("pause", "paused", _LIVE, (Status.PAUSED,), ("reason",)),
    "resume": Verb("resume", "resumed", (Status.PAUSED, Status.FAILED, Status.CANCELLED), _LIVE, ("children",)),
    "purge": Verb("purge", "purged", Status.terminal(), (), ("children", "payloads_only")),
}
_CHILDREN = {
    "cancel": ("--no-children", "store_false", "let go on what they have started"),
    "resume": ("--children", "store_true", "first what they have started and that failed or was cancelled"),
    "purge": ("--children", "store_true", "also what they have started, as far as it has ended"),
}


def add_arguments(parser: argparse.ArgumentParser, verb: Verb) -> None:
    """Declare ids, filters and what goes with them."""
    add_chosen(parser)
    if "reason" in verb.options:
        parser.add_argument("--reason", type=arguments.text, help="kept with the workflow, for people")
    if "children" in verb.options:
        flag, action, words = _CHILDREN[verb.name]
        parser.add_argument(flag, dest="children", action=action, help=words)
    if "payloads_only" in verb.options:
        parser.add_argument("--payloads-only", action="store_true", help="leave their bare rows, which keep the ids")


def add_chosen(parser: argparse.ArgumentParser) -> None:
    """Declare ids, or filters with a question."""
    parser.add_argument("ids", nargs="*", metavar="ID", type=arguments.text, help="workflows to change; or filters")
    selection.add_filters(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def require_chosen(options: dict[str, Any]) -> None:
    """Raise CommandError unless there are either ids or filters."""
    if bool(options["ids"]) == selection.is_filtered(options):
        raise CommandError("Say which workflows: their ids, or filters (see --help), not both.", returncode=2)


def change(command: BaseCommand, options: dict[str, Any]) -> None:
    """
    Change the chosen workflows and report how many.

    Raises CommandError if it may not, is stopped, or, behind the report, if some that were named could not be changed.
    """
    verb = VERBS[options["verb"]]
    require_chosen(options)
    found = (_change_named if options["ids"] else _change_filtered)(command, verb, options)
    command.stdout.write(_report(verb, found, is_json=options["json"]))
    if found.refused:
        raise CommandError(f"{number_of(len(found.refused), 'workflow', 'workflows')} could not be {verb.done}.")
    require_all(verb.done, [key for key, status in found.unchanged.items() if status not in verb.goal])


def require_all(done: str, missed: Sequence[str]) -> None:
    """Raise CommandError for workflows that were named and are not what was asked for."""
    if missed:
        words = f"{len(missed)} of the workflows that were named could not be {done}"
        raise CommandError(f"{words}. See: manage.py durable show {plain(missed[0])}")


def _change_named(command: BaseCommand, verb: Verb, options: dict[str, Any]) -> Outcome:
    chosen = dict(selection.by_ids(options["ids"]))
    changed, refused = _apply(command, verb, selection.workflows(), list(chosen), options)
    if verb.name == "purge":
        return Outcome(changed, _left(list(chosen)))
    return Outcome(changed, {key: status for key, status in chosen.items() if status not in verb.acts_on}, refused)


def _left(keys: Sequence[str]) -> dict[str, str]:
    """Return what a purge has left of these, and why: they live, or have not let go."""
    left: dict[str, str] = {}
    for part in _parts(keys):
        rows = selection.workflows().filter(pk__in=part, pruned_at__isnull=True)
        for key, status, worker in rows.values_list("pk", "status", "worker"):
            is_held = status in Status.terminal() and worker is not None
            left[key] = f"{status}, and its last attempt has not let go" if is_held else status
    return left


def _change_filtered(command: BaseCommand, verb: Verb, options: dict[str, Any]) -> Outcome:
    rows: Any = selection.select(options).filter(status__in=verb.acts_on)
    if verb.name != "purge" or options["payloads_only"]:
        rows = rows.filter(pruned_at__isnull=True)
    counts = counted(rows)
    if not counts:
        hint(command, options)
        return Outcome(0)
    confirm(command, verb.name, counts, options)
    # Not what comes after the answer, for one what follows the end of these.
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    changed, refused = _apply(command, verb, rows, keys, options)
    return Outcome(changed, refused=refused)


def counted(rows: Any) -> Counter[str]:
    """Return how many workflows there are in which state."""
    return Counter(dict(rows.order_by().values_list("status").annotate(n=Count("pk"))))


def hint(command: BaseCommand, options: dict[str, Any]) -> None:
    """Say beside the answer why filters may have left nothing."""
    if words := selection.hints(options):
        command.stderr.write(words)


def confirm(command: BaseCommand, verb: str, counts: Counter[str], options: dict[str, Any]) -> None:
    """Ask before many workflows are changed. Raises CommandError unless the answer is yes."""
    if options["yes"]:
        return
    total = counts.total()
    states = ", ".join(f"{counts[status]} {status}" for status in Status.values if counts[status])
    asking.require_yes(command, f"{number_of(total, 'workflow fits', 'workflows fit')} ({states})", verb)


def _apply(
    command: BaseCommand, verb: Verb, rows: WorkflowQuerySet, keys: Sequence[str], options: dict[str, Any]
) -> tuple[int, dict[str, str]]:
    given = {name: options[name] for name in verb.options if options[name] is not None}
    progress = asking.Progress(command, len(keys))
    changed, refused = 0, {}
    try:
        for part in _parts(keys):
            count, errors = _act(verb, rows.filter(pk__in=part), given)
            changed += count
            refused.update({key: str(error) for key, error in errors.items()})
            progress.add(len(part))
    except KeyboardInterrupt:
        progress.end()
        raise CommandError(f"Stopped: {changed} {verb.done}; the rest stays as it is.") from None
    progress.end()
    return changed, refused


def _act(verb: Verb, rows: WorkflowQuerySet, given: dict[str, Any]) -> tuple[int, Mapping[str, Exception]]:
    if verb.name == "resume":
        return resuming.resume(rows, **given)
    return int(getattr(rows, verb.name)(**given)), {}


def _parts(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _PART] for start in range(0, len(keys), _PART)]


def _report(verb: Verb, found: Outcome, *, is_json: bool) -> str:
    if is_json:
        more = {name: getattr(found, name) for name in ("unchanged", "refused") if getattr(found, name)}
        return rendering.dumps({verb.done: found.changed, **more})
    lines = [f"{number_of(found.changed, 'workflow', 'workflows')} {verb.done}."]
    lines += [f"  {plain(key)} is {status}: left as it is." for key, status in found.unchanged.items()]
    lines += [f"  {plain(key)}: {plain(why)}" for key, why in found.refused.items()]
    return "\n".join(lines)
