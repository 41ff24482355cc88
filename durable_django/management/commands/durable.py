"""manage.py durable: look at workflows and operate them from the terminal."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from durable_django.api.workflows import definition_of
from durable_django.base.texts import plain
from durable_django.engine import context, wakeups
from durable_django.exceptions import DurableError
from durable_django.management import rendering, selection, timeline
from durable_django.management.commands import worker
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow
from durable_django.models.workflow_queryset import WorkflowQuerySet

_VERBS = {"cancel": "cancelled", "pause": "paused", "resume": "resumed"}


class Command(BaseCommand):
    """One verb each: list, show, start, cancel, pause, resume, worker."""

    help = "Look at durable workflows and operate them."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare a sub-command for each verb."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listing = verbs.add_parser("list", help="workflows, the newest first")
        selection.add_filters(listing)
        listing.add_argument("--limit", type=worker.positive, default=50, help="at most so many (50)")
        showing = verbs.add_parser("show", help="one workflow with its steps")
        showing.add_argument("id")
        self._add_start(verbs.add_parser("start", help="start a workflow by its name"))
        for verb in _VERBS:
            changing = verbs.add_parser(verb, help=f"{verb} workflows: ids, or all that the filters leave")
            changing.add_argument("ids", nargs="*", metavar="ID")
            selection.add_filters(changing)
            changing.add_argument("--yes", action="store_true", help="do not ask")
            if verb != "resume":
                changing.add_argument("--reason", default="", help="kept with the workflow")
        for each in verbs.choices.values():
            each.add_argument("--json", action="store_true", help="answer in JSON")
        worker.Command().add_arguments(verbs.add_parser("worker", help="the same as manage.py worker"))

    @staticmethod
    def _add_start(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="as shop.checkout")
        parser.add_argument(
            "--args", dest="arguments", type=_arguments, default=([], {}), help="JSON: array, or object of keywords"
        )
        parser.add_argument("--id", help="idempotency key")
        parser.add_argument("--queue")
        parser.add_argument("--priority", type=int)
        parser.add_argument("--delay", type=selection.duration, help="30m, 2h, 7d")
        parser.add_argument("--attribute", type=selection.attribute, action="append", metavar="KEY=VALUE")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says; every refusal is a sentence, not a traceback."""
        verb = options["verb"]
        if verb == "worker":
            worker.Command().handle(**options)
            return
        handlers = {"list": self._list, "show": self._show, "start": self._start}
        try:
            handlers.get(verb, self._change)(options)
        except (DurableError, ValueError, TypeError) as error:
            raise CommandError(str(error)) from error
        except BrokenPipeError:
            # The reader of the pipe has seen enough; what Python still holds back must not complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _list(self, options: dict[str, Any]) -> None:
        rows = selection.select(_workflows(), options).order_by("-created_at").only(*rendering.LISTED)
        found = list(rows[: options["limit"]])
        if options["json"]:
            self._say(rendering.dumps([rendering.listed(workflow) for workflow in found]))
            return
        header = ("id", "workflow", "status", "queue", "attempt", "created", "ended", "reason")
        cells = [
            (row.pk, row.name, row.status, row.queue, row.attempt, row.created_at, row.finished_at, row.reason)
            for row in found
        ]
        self._say(rendering.table(header, cells) if cells else "No workflow fits.")

    def _show(self, options: dict[str, Any]) -> None:
        workflow = _workflows().filter(pk=options["id"]).first()
        if workflow is None:
            raise CommandError(_not_found([options["id"]]))
        steps = list(Step.objects.using(_workflows().db).filter(workflow=workflow).order_by("branch", "position"))
        is_json = options["json"]
        self._say(rendering.dumps(rendering.shown(workflow, steps)) if is_json else timeline.describe(workflow, steps))

    def _start(self, options: dict[str, Any]) -> None:
        args, kwargs = options["arguments"]
        given = {name: options[name] for name in ("id", "queue", "priority", "delay") if options[name] is not None}
        attributes = dict(options["attribute"] or ())
        definition = definition_of(options["name"]).using(attributes=attributes or None, **given)
        handle = definition.start(*args, **kwargs)
        self._say(rendering.dumps({"id": handle.id, "status": handle.status}) if options["json"] else handle.id)

    def _change(self, options: dict[str, Any]) -> None:
        verb = options["verb"]
        rows = self._chosen(options)
        if not options["ids"]:
            self._confirm(verb, rows.count(), options)
        reason = () if verb == "resume" else (options["reason"],)
        changed = getattr(rows, verb)(*reason)
        if changed and verb == "resume":
            wakeups.ring(rows.db)
        text = ngettext("%(n)d workflow %(done)s.", "%(n)d workflows %(done)s.", changed) % {
            "n": changed,
            "done": _VERBS[verb],
        }
        self._say(rendering.dumps({_VERBS[verb]: changed}) if options["json"] else text)

    def _chosen(self, options: dict[str, Any]) -> WorkflowQuerySet:
        ids = options["ids"]
        if bool(ids) == selection.is_filtered(options):
            raise CommandError("Say which workflows: their ids, or filters (see --help), not both.", returncode=2)
        if not ids:
            return selection.select(_workflows(), options)
        rows = _workflows().filter(pk__in=ids)
        missing = sorted(set(ids) - set(rows.values_list("pk", flat=True)))
        if missing:
            raise CommandError(_not_found(missing))
        return rows

    def _confirm(self, verb: str, count: int, options: dict[str, Any]) -> None:
        """Ask before many workflows are changed. Raises CommandError unless the answer is yes."""
        if options["yes"] or not count:
            return
        if not sys.stdin.isatty():
            raise CommandError(f"{count} workflows fit. Nobody is there to ask: add --yes to {verb} them.")
        if input(f"{verb} up to {count} workflows? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was changed.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)


def _workflows() -> WorkflowQuerySet:
    rows: WorkflowQuerySet = Workflow.objects.using(context.alias_of_workflows())
    return rows


def _not_found(ids: list[str]) -> str:
    names = ", ".join(plain(each) for each in ids[:10])
    return f"There is no workflow {names}. See: manage.py durable list --id-prefix {plain(ids[0])[:8]}"


def _arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        message = f"expected JSON, got {text!r} ({error})"
        raise argparse.ArgumentTypeError(message) from error
    if isinstance(found, dict):
        return [], found
    if isinstance(found, list):
        return found, {}
    message = f"expected a JSON array or object, got {text!r}"
    raise argparse.ArgumentTypeError(message)
