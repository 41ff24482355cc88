"""Queue: a named line of workflows, declared in code."""

from __future__ import annotations

from durable_django.api.declaring import LONGEST_NAME, is_name
from durable_django.base import registry
from durable_django.engine import context
from durable_django.exceptions import RegistrationError
from durable_django.models.queue import Queue as QueueRow


class Queue:
    """
    Declare a queue: emails = Queue("emails"). The row is made by `migrate` and when a worker boots.

    Raises RegistrationError for a name that is blank, too long or carries control characters.
    """

    def __init__(self, name: str) -> None:
        if not is_name(name):
            raise RegistrationError(
                message=f"A queue's name must have 1 to {LONGEST_NAME} printable characters, got {name!r}."
            )
        self.name = name
        registry.queues.add(name)

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"

    def pause(self) -> None:
        """Stop every worker from claiming from this queue; what runs goes on."""
        rows = QueueRow.objects.using(context.alias_of_workflows())
        rows.sync([self.name])
        rows.filter(pk=self.name).pause()

    def resume(self) -> None:
        """Let workers claim from this queue again."""
        QueueRow.objects.using(context.alias_of_workflows()).filter(pk=self.name).resume()
