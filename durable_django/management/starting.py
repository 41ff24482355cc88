"""`durable start`: a workflow started by its name, with what using() takes."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from durable_django.api.options import start_options
from durable_django.base import registry
from durable_django.engine import starting
from durable_django.engine.starting import StartOptions
from durable_django.exceptions import DurableError
from durable_django.management import arguments, rendering, selection

_OPTIONS = ("id", "queue", "priority", "delay", "timeout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the name, the arguments and the options of the start."""
    parser.add_argument("name", metavar="NAME", type=arguments.text, help="as shop.checkout")
    parser.add_argument(
        "--args",
        dest="arguments",
        type=arguments.arguments,
        metavar="JSON",
        help="array of positional arguments, or object of keyword arguments",
    )
    parser.add_argument(
        "--kwargs", dest="keywords", type=arguments.keywords, metavar="JSON", help="object of keyword arguments"
    )
    parser.add_argument("--id", type=arguments.text, help="idempotency key: a second start finds the first")
    parser.add_argument("--queue", type=arguments.text, help="another declared queue")
    parser.add_argument("--priority", type=int, metavar="N", help="-100 to 100, larger first")
    parser.add_argument("--delay", type=arguments.delay, metavar="DURATION", help="not before: 90s, 30m, 2h, 7d")
    parser.add_argument("--timeout", type=arguments.delay, metavar="DURATION", help="cancelled so long after its claim")
    parser.add_argument(
        "--attribute", action="append", type=arguments.attribute, metavar="KEY=VALUE", help="VALUE is JSON or text"
    )


def start(command: BaseCommand, options: dict[str, Any]) -> None:
    """Start the workflow and print its id. Raises CommandError with what forbids it."""
    args, kwargs = _call(options)
    given = {name: options[name] for name in _OPTIONS}
    attributes = dict(options["attribute"] or ())
    try:
        chosen = start_options(StartOptions(), attributes=attributes or None, **given)
        registered = registry.workflows.get(options["name"])
        started = starting.start(registered, args, kwargs, chosen)
    except (DurableError, ValueError, TypeError) as error:
        raise CommandError(str(error)) from error
    if options["json"]:
        status = selection.workflows().values_list("status", flat=True).get(pk=started.id)
        command.stdout.write(rendering.dumps({"id": started.id, "status": status, "is_new": started.is_new}))
        return
    if not started.is_new:
        command.stderr.write("It had been started before; nothing was changed.")
    command.stdout.write(started.id)


def _call(options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args, kwargs = options["arguments"] or ([], {})
    return tuple(args), {**kwargs, **(options["keywords"] or {})}
