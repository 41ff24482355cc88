"""`durable health`: the verdict of each check for people and programs, and an exit code for probes."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from durable_django.management import arguments, rendering
from durable_django.monitoring.health import Thresholds, Verdict, as_json, examine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the thresholds."""
    parser.add_argument(
        "--max-delay",
        type=arguments.delay,
        metavar="DURATION",
        help="a runnable workflow may stand in line for so long: 90s, 10m, 2h (the setting QUEUE_DELAY_SECONDS)",
    )
    parser.add_argument(
        "--grace",
        type=arguments.delay,
        default=Thresholds.grace_seconds,
        metavar="DURATION",
        help="recovery, due moments and deadlines may take so long (60s)",
    )


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """Say what each check has found. Raises CommandError, for the exit code, if one of them has found a problem."""
    usual = Thresholds.of_settings().delay_seconds
    delay = usual if options["max_delay"] is None else options["max_delay"]
    verdicts = examine(Thresholds(delay, options["grace"]))
    problems = [problem for verdict in verdicts for problem in verdict.problems]
    if options["json"]:
        command.stdout.write(rendering.dumps(as_json(verdicts)))
    else:
        command.stdout.write("\n".join(_line(command, verdict) for verdict in verdicts))
    if problems:
        command.stdout.flush()
        raise CommandError(f"Not healthy: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}.")


def _line(command: BaseCommand, verdict: Verdict) -> str:
    if not verdict.problems:
        return f"{verdict.check:<12}{command.style.SUCCESS('ok')}"
    return "\n".join(f"{verdict.check:<12}{command.style.ERROR(problem)}" for problem in verdict.problems)
