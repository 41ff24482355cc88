"""manage.py durable: look at workflows and operate them from the terminal."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseTrouble

from durable_django.base.texts import plain_lines
from durable_django.management import (
    arguments,
    changing,
    forking,
    history,
    listing,
    probing,
    pruning,
    queues,
    rendering,
    replaying,
    scheduling,
    selection,
    sending,
    showing,
    starting,
    timeline,
    workers,
)
from durable_django.management.commands import worker

_EXIT_CODES = "Exit codes: 0 done, 1 refused or not found, 2 wrong usage; of worker, see manage.py worker --help."


class Command(BaseCommand):
    """One verb each: see add_arguments()."""

    help = f"Look at durable workflows and operate them. {_EXIT_CODES}"
    # The person at the terminal may be here because a check fails.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare a sub-command for each verb."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listing.add_arguments(verbs.add_parser("list", help="workflows, the newest first"))
        show = verbs.add_parser("show", help="one workflow: facts, timeline, outcome")
        show.add_argument("id", type=arguments.text, metavar="ID")
        show.add_argument(
            "--steps", type=arguments.number_or_all, default=100, metavar="N", help="the last so many (100), 0 for all"
        )
        starting.add_arguments(verbs.add_parser("start", help="start a workflow by its name"))
        for verb in changing.VERBS.values():
            words = f"{verb.name} workflows: some ids, or all that the filters leave"
            changing.add_arguments(verbs.add_parser(verb.name, help=words), verb)
        forking.add_arguments(verbs.add_parser("fork", help="new workflows that share what some have recorded"))
        sending.add_arguments(verbs.add_parser("send", help="send a message to a workflow"))
        pruning.add_arguments(verbs.add_parser("prune", help="take all but the bare row from what ended long ago"))
        replaying.add_arguments(verbs.add_parser("replay", help="does the code fit the histories that are under way?"))
        words = "how full the queues are; pause, drain, resume or revert some"
        queues.add_arguments(verbs.add_parser("queues", help=words))
        words = "when the schedules fire next; pause, resume, revert, trigger or backfill some"
        scheduling.add_arguments(verbs.add_parser("schedules", help=words))
        words = "worker processes: which live, what they hold; drain some"
        workers.add_arguments(verbs.add_parser("workers", help=words))
        probing.add_arguments(verbs.add_parser("health", help="for probes: whether work gets done; exit code 1 if not"))
        for each in verbs.choices.values():
            each.add_argument("--json", action="store_true", help="answer in JSON")
        worker.Command().add_arguments(verbs.add_parser("worker", help="the same as manage.py worker"))
        for each in verbs.choices.values():
            _accept_django_options(each)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what the verb says; every refusal is a sentence, not a traceback."""
        if options["verb"] == "worker":
            worker.Command().handle(**options)
            return
        if options.get("stdout") is None and hasattr(sys.stdout, "reconfigure"):
            # A terminal that cannot show a character shows its code.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            self._perform(options)
            self.stdout.flush()
        except BrokenPipeError:
            # The reader of the pipe has seen enough; what Python still holds back must not complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except DatabaseTrouble as error:
            alias = selection.workflows().db
            advice = f"If its tables are missing: manage.py migrate --database {alias}"
            said = plain_lines(str(error).strip())
            raise CommandError(f"The database {alias!r} cannot do it: {said}\n{advice}") from error

    def _perform(self, options: dict[str, Any]) -> None:
        verbs = {
            "list": listing.show,
            "start": starting.start,
            "prune": pruning.run,
            "fork": forking.run,
            "queues": queues.run,
            "schedules": scheduling.run,
            "send": sending.run,
            "replay": replaying.run,
            "workers": workers.run,
            "health": probing.run,
        }
        if options["verb"] == "show":
            self._show(options)
        else:
            verbs.get(options["verb"], changing.change)(self, options)

    def _show(self, options: dict[str, Any]) -> None:
        row = history.without_payloads(selection.workflows()).filter(pk=options["id"]).first()
        if row is None:
            raise selection.not_found([options["id"]])
        shown = showing.showing()
        found = history.read(row, options["steps"], redact=shown.redact)
        is_json = options["json"]
        text = (
            rendering.dumps(rendering.shown(found, shown)) if is_json else timeline.describe(found, self.style, shown)
        )
        self.stdout.write(text)


def _accept_django_options(parser: argparse.ArgumentParser) -> None:
    """Let Django's own options stand behind the verb too: they were declared for the place before it."""
    hidden: dict[str, Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    for flag in ("--traceback", "--no-color", "--force-color"):
        parser.add_argument(flag, action="store_true", **hidden)
    for option in ("--settings", "--pythonpath"):
        parser.add_argument(option, **hidden)
    parser.add_argument("-v", "--verbosity", type=int, choices=(0, 1, 2, 3), **hidden)
