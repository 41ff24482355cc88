"""`durable queues`: how full the queues are, and the verbs of operators: pause, drain, resume, revert."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from durable_django.base import clock, registry
from durable_django.base.texts import plain, spoken_seconds
from durable_django.engine import context
from durable_django.management import arguments, rendering
from durable_django.management.depths import MOST_COUNTED, Depth, described, running_by_queue, with_depths
from durable_django.models.queue import Queue, QueueQuerySet

#: While a queue is drained, it is asked so often what runs.
_LOOK_SECONDS = 0.5
_EMPTY_LOOKS = 2
_HEADER = ("queue", "state", "queued", "oldest", "running", "limits", "edited")
#: What has become of queues by each verb.
_DONE = {"pause": "paused", "drain": "drained", "resume": "resumed", "revert": "reverted"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the names and the verbs."""
    parser.add_argument("names", nargs="*", metavar="NAME", type=arguments.text, help="these only; all otherwise")
    verbs = parser.add_mutually_exclusive_group()
    for verb, words in (
        ("pause", "let no worker claim from them; what runs goes on"),
        ("drain", "pause them, and wait until nothing of them runs"),
        ("resume", "let workers claim from them again"),
        ("revert", "give edited ones the limits of the code again"),
    ):
        verbs.add_argument(f"--{verb}", dest="change", action="store_const", const=verb, help=words)
    parser.add_argument(
        "--timeout",
        type=arguments.delay,
        metavar="DURATION",
        help="of --drain: wait no longer, and end with exit code 1",
    )


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """List the queues, or change those that are named. Raises CommandError if one of them does not exist."""
    rows = _named(options["names"])
    if options["change"]:
        _change(command, rows, options)
    elif options["json"]:
        found = with_depths(rows, MOST_COUNTED)
        command.stdout.write(rendering.dumps([_facts(queue, depth) for queue, depth in found]))
    elif lines := [_line(queue, depth) for queue, depth in with_depths(rows, MOST_COUNTED)]:
        command.stdout.write(rendering.table(_HEADER, lines, command.style, status=1))
    else:
        command.stdout.write("There is no queue yet: migrate, or start a worker.")


def _named(names: Sequence[str]) -> QueueQuerySet:
    rows: QueueQuerySet = Queue.objects.using(context.alias_of_workflows())
    if not names:
        return rows.order_by("name")
    known = set(rows.values_list("name", flat=True))
    for name in names:
        if name not in known:
            raise CommandError(f"There is no queue {plain(name)!r}.{registry.nearest(name, sorted(known))}")
    return rows.filter(pk__in=names).order_by("name")


def _change(command: BaseCommand, rows: QueueQuerySet, options: dict[str, Any]) -> None:
    verb = options["change"]
    if not options["names"]:
        raise CommandError(f"Say which queues to {verb}: their names.", returncode=2)
    changed = _drain(rows, options["timeout"]) if verb == "drain" else int(getattr(rows, verb)())
    if options["json"]:
        command.stdout.write(rendering.dumps({_DONE[verb]: changed}))
    else:
        command.stdout.write(f"{changed} {'queue' if changed == 1 else 'queues'} {_DONE[verb]}.")


def _drain(rows: QueueQuerySet, timeout: float | None) -> int:
    """
    Pause them, and wait until nothing of them runs. Return how many there are. Raises CommandError after the timeout.

    Two looks must find nothing: a claim that was under way saw the queue open, and is seen only when it has committed.
    """
    names = set(rows.values_list("pk", flat=True))
    rows.pause()
    end = None if timeout is None else clock.elapsed_seconds() + timeout
    empty = 0
    while empty < _EMPTY_LOOKS:
        left = {name: count for name, count in running_by_queue().items() if name in names}
        empty = 0 if left else empty + 1
        if left and end is not None and clock.elapsed_seconds() >= end:
            still = ", ".join(f"{count} of {plain(name)}" for name, count in sorted(left.items()))
            raise CommandError(f"Paused, but some still run: {still}.")
        if empty < _EMPTY_LOOKS:
            time.sleep(_LOOK_SECONDS)
    return len(names)


def _line(queue: Queue, depth: Depth) -> list[str]:
    facts = (queue.name, "paused" if queue.is_paused else "open", depth.spoken)
    limits = described(queue.limits)
    age = spoken_seconds(depth.oldest_seconds)
    return [
        *map(rendering.cell, facts),
        age,
        str(depth.running),
        rendering.cell(limits),
        "yes" if queue.is_edited else "-",
    ]


def _facts(queue: Queue, depth: Depth) -> dict[str, Any]:
    return {
        "name": queue.name,
        "is_paused": queue.is_paused,
        "is_edited": queue.is_edited,
        "queued": depth.queued,
        "is_capped": depth.is_capped,
        "oldest_seconds": depth.oldest_seconds,
        "running": depth.running,
        "started": depth.started,
        "limits": queue.limits.as_columns(),
        "declared": queue.declared,
    }
