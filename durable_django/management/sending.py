"""`durable send`: a message to one workflow, as send() delivers it."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from durable_django.api import communication
from durable_django.base.texts import plain
from durable_django.exceptions import DurableError, WorkflowNotFound
from durable_django.management import arguments, rendering, selection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the receiver, the value and what goes with it."""
    parser.add_argument("id", metavar="ID", type=arguments.text, help="the workflow that is to receive it")
    parser.add_argument("value", metavar="VALUE", type=arguments.value, help="JSON, or text")
    parser.add_argument("--topic", type=arguments.text, help="only a receive() on the same topic gets it")
    parser.add_argument("--key", type=arguments.text, help="idempotency key: a second message with it is dropped")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """Send it. Raises CommandError if nobody would receive it."""
    workflow_id, topic = options["id"], options["topic"] or ""
    try:
        communication.send(workflow_id, options["value"], topic=topic, idempotency_key=options["key"])
    except WorkflowNotFound as error:
        raise selection.not_found([workflow_id]) from error
    except (DurableError, ValueError, TypeError) as error:
        raise CommandError(str(error)) from error
    if options["json"]:
        command.stdout.write(rendering.dumps({"id": workflow_id, "topic": topic}))
    else:
        command.stdout.write(f"Sent to {plain(workflow_id)}{f' on topic {plain(topic)}' if topic else ''}.")
