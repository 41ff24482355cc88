"""What the code declares: workflows, queues and schedules that clash or do not fit together."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from durable_django.base import registry, timetable
from durable_django.conf import durable_settings
from durable_django.exceptions import UnknownQueue


@register()
def check_declarations(**_kwargs: Any) -> list[CheckMessage]:
    """Report workflows that share a name or use a queue that nobody declares."""
    messages: list[CheckMessage] = [
        Error(clash, hint="Names refer to the function from rows, so they must differ.", id="durable_django.E004")
        for clash in registry.workflows.clashes()
    ]
    for name in registry.workflows.names():
        queue = registry.workflows.get(name).queue
        try:
            registry.queues.require(queue or durable_settings.DEFAULT_QUEUE)
        except UnknownQueue as error:
            messages.append(Error(f"Workflow {name}: {error}", id="durable_django.E005"))
    return messages


@register()
def check_schedules(**_kwargs: Any) -> list[CheckMessage]:
    """Report schedules that share a name or use a queue that nobody declares."""
    messages: list[CheckMessage] = [
        Error(clash, hint="Each has a row of its own, by its name.", id="durable_django.E011")
        for clash in timetable.schedules.clashes()
    ]
    for name, declared in timetable.schedules.by_name().items():
        try:
            registry.queues.require(declared.queue or durable_settings.DEFAULT_QUEUE)
        except UnknownQueue as error:
            messages.append(Error(f"Schedule {name}: {error}", id="durable_django.E012"))
    return messages
