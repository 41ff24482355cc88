"""manage.py worker: claim and run workflows until told to stop."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from durable_django import checks, signals
from durable_django.base import logs, registry
from durable_django.conf import durable_settings, is_debug
from durable_django.engine import context
from durable_django.exceptions import UnknownQueue
from durable_django.management.arguments import number
from durable_django.worker import boot
from durable_django.worker.options import WorkerOptions, fits
from durable_django.worker.supervisor import Supervisor


class Command(BaseCommand):
    """Runs queue loop, recovery and deadlines; any number of them, on any hosts."""

    help = (
        "Claim and run workflows. The first TERM or INT gives running workflows back at their next step and exits 0; "
        "a second one exits at once (2). Exits 1 without claiming anything if migrations or checks forbid to start."
    )
    # Checked in handle(), so that the reason and the exit code are those of this command.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options; bad ones are refused at the prompt."""
        parser.add_argument(
            "--queues", type=_queues, default=(), help="names or patterns (mail-*) to claim from, comma separated"
        )
        parser.add_argument(
            "--exclude-queues", type=_queues, default=(), help="names or patterns to leave to others, comma separated"
        )
        parser.add_argument("--threads", type=number, default=None, help="workflows at a time in each process (8)")
        parser.add_argument(
            "--async-concurrency", type=number, default=None, help="async workflows at a time in each process (100)"
        )
        parser.add_argument("--processes", type=number, default=1, help="worker processes (1)")
        parser.add_argument("--max-workflows", type=number, default=0, help="end after so many in each process")
        parser.add_argument("--until-idle", action="store_true", help="end when nothing is left to run now")
        parser.add_argument(
            "--reload",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="begin anew when source changes (DEBUG)",
        )
        parser.add_argument("--grace", type=_seconds, default=30.0, help="seconds for running steps after TERM (30)")
        parser.add_argument("--name", default="", help="label of this worker in the admin")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Refuse with the reason, or supervise worker processes until the end."""
        logs.show_on_terminal(is_quiet=options["verbosity"] == 0)
        self._require_start(options)
        code = Supervisor(_chosen(options)).run()
        if code:
            sys.exit(code)

    def _require_start(self, options: dict[str, Any]) -> None:
        alias = context.alias_of_workflows()
        try:
            for pattern in (*options["queues"], *options["exclude_queues"]):
                _require_queue(pattern)
            _require_any_queue(_chosen(options))
            refusals = boot.refusals(alias)
            warnings = [] if refusals else checks.judge_connections(alias, _chosen(options))
        except DatabaseError as error:
            # Its processes wait for the database; only what it says once it answers can forbid to start.
            signals.database_away.send_robust(sender=None, what="start", error=error, delay_seconds=0)
            return
        except UnknownQueue as error:
            raise CommandError(f"The worker does not start.\n{error}", returncode=1) from error
        if refusals:
            raise CommandError("The worker does not start.\n" + "\n".join(refusals), returncode=1)
        for message in warnings:
            if not message.is_silenced():
                self.stderr.write(self.style.WARNING(str(message)))


def _chosen(options: dict[str, Any]) -> WorkerOptions:
    return WorkerOptions(
        queues=options["queues"],
        exclude_queues=options["exclude_queues"],
        threads=options["threads"] or int(durable_settings.THREADS),
        async_concurrency=options["async_concurrency"] or int(durable_settings.ASYNC_CONCURRENCY),
        processes=options["processes"],
        max_workflows=options["max_workflows"],
        until_idle=options["until_idle"],
        reload=is_debug() if options["reload"] is None else options["reload"],
        grace_seconds=options["grace"],
        name=options["name"],
        is_quiet=options["verbosity"] == 0,
    )


def _require_queue(pattern: str) -> None:
    """Raise UnknownQueue, with the nearest name, if no declared queue is meant: its work would wait for ever."""
    if not any(fits(name, [pattern]) for name in registry.queues.names()):
        registry.queues.require(pattern)


def _require_any_queue(chosen: WorkerOptions) -> None:
    """Refuse to be a worker that would claim nothing, ever."""
    if not any(map(chosen.serves, registry.queues.names())):
        left = f"--queues and --exclude-queues {','.join(chosen.exclude_queues)} leave no queue to claim from"
        raise CommandError(f"The worker does not start.\n{left}. Exclude fewer.", returncode=1)


def _queues(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        message = f"expected queue names, comma separated, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return names


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        message = f"expected a number of seconds from 0, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return value
