"""`durable cancel`, `pause` and `resume`: which workflows they change, how they ask, what they report."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Q
from django.utils.translation import ngettext

from durable_django.base.texts import plain
from durable_django.management import arguments, asking, rendering, selection
from durable_django.models.status import Status
from durable_django.models.workflow_queryset import WorkflowQuerySet

_IDS_PER_STATEMENT = 5000


@dataclass(frozen=True)
class Verb:
    """
    One way to change workflows.

    done         what has become of them then
    acts_on      the states in which the verb of the queryset changes a workflow; it decides, this only counts
    has_reason   whether a reason is kept with the workflow
    has_children whether what the workflows have started is changed, too
    """

    name: str
    done: str
    acts_on: tuple[Status, ...]
    has_reason: bool = True
    has_children: bool = False


_LIVE = (Status.QUEUED, Status.RUNNING, Status.WAITING)
VERBS = {
    "cancel": Verb("cancel", "cancelled", (*_LIVE, Status.PAUSED), has_children=True),
    "pause": Verb("pause", "paused", _LIVE),
    "resume": Verb("resume", "resumed", (Status.PAUSED, Status.FAILED, Status.CANCELLED), has_reason=False),
}


def add_arguments(parser: argparse.ArgumentParser, verb: Verb) -> None:
    """Declare ids, filters and what goes with them."""
    parser.add_argument("ids", nargs="*", metavar="ID", type=arguments.text, help="workflows to change; or filters")
    selection.add_filters(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    if verb.has_reason:
        parser.add_argument("--reason", type=arguments.text, help="kept with the workflow, for people")
    if verb.has_children:
        parser.add_argument(
            "--no-children", dest="children", action="store_false", help="let go on what they have started"
        )


def change(command: BaseCommand, options: dict[str, Any]) -> None:
    """Change the chosen workflows and report how many. Raises CommandError if it may not."""
    verb = VERBS[options["verb"]]
    ids = options["ids"]
    if bool(ids) == selection.is_filtered(options):
        raise CommandError("Say which workflows: their ids, or filters (see --help), not both.", returncode=2)
    changed, unchanged = _change_named(verb, ids, options) if ids else _change_filtered(command, verb, options)
    command.stdout.write(_report(verb, changed, unchanged, is_json=options["json"]))


def _change_named(verb: Verb, ids: Sequence[str], options: dict[str, Any]) -> tuple[int, dict[str, str]]:
    chosen = selection.by_ids(ids)
    keys = [key for key, _status in chosen]
    batches = [keys[start : start + _IDS_PER_STATEMENT] for start in range(0, len(keys), _IDS_PER_STATEMENT)]
    changed = sum(_apply(verb, selection.workflows().filter(pk__in=batch), options) for batch in batches)
    return changed, {key: status for key, status in chosen if status not in verb.acts_on}


def _change_filtered(command: BaseCommand, verb: Verb, options: dict[str, Any]) -> tuple[int, dict[str, str]]:
    rows: Any = selection.select(options).filter(status__in=verb.acts_on, pruned_at__isnull=True)
    counts = Counter(dict(rows.order_by().values_list("status").annotate(n=Count("pk"))))
    if not counts:
        hint = selection.hints(options)
        if hint:
            command.stderr.write(hint)
        return 0, {}
    _confirm(command, verb, counts, options)
    return _change_many(command, verb, rows, options, counts.total()), {}


def _change_many(command: BaseCommand, verb: Verb, rows: WorkflowQuerySet, options: dict[str, Any], total: int) -> int:
    """Change them batch by batch, and show how far that is. Return how many. Raises CommandError if it is stopped."""
    progress = asking.Progress(command, total)
    changed = 0
    try:
        for batch in rows.batches(Q()):
            changed += _apply(verb, selection.workflows().filter(pk__in=batch), options)
            progress.add(len(batch))
    except KeyboardInterrupt:
        progress.end()
        raise CommandError(f"Stopped: {changed} {verb.done}; the rest stays as it is.") from None
    progress.end()
    return changed


def _apply(verb: Verb, rows: WorkflowQuerySet, options: dict[str, Any]) -> int:
    reason = (options["reason"] or "",) if verb.has_reason else ()
    children = {"children": options["children"]} if verb.has_children else {}
    return int(getattr(rows, verb.name)(*reason, **children))


def _confirm(command: BaseCommand, verb: Verb, counts: Counter[str], options: dict[str, Any]) -> None:
    """Ask before many workflows are changed. Raises CommandError unless the answer is yes."""
    if options["yes"]:
        return
    total = counts.total()
    states = ", ".join(f"{counts[status]} {status}" for status in verb.acts_on if counts[status])
    fit = ngettext("%(n)d workflow fits", "%(n)d workflows fit", total) % {"n": total}
    asking.require_yes(command, f"{fit} ({states})", verb.name)


def _report(verb: Verb, changed: int, unchanged: dict[str, str], *, is_json: bool) -> str:
    if is_json:
        return rendering.dumps({verb.done: changed, **({"unchanged": unchanged} if unchanged else {})})
    text = ngettext("%(n)d workflow %(done)s.", "%(n)d workflows %(done)s.", changed)
    lines = [text % {"n": changed, "done": verb.done}]
    lines += [f"  {plain(key)} is {status}: left as it is." for key, status in unchanged.items()]
    return "\n".join(lines)
