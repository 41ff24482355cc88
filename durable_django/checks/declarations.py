"""What the code declares: workflows, queues and schedules that clash or do not fit together."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name

from durable_django.base import registry, timetable
from durable_django.checks.settings import is_sound
from durable_django.conf import durable_settings
from durable_django.exceptions import UnknownQueue


@register()
def check_declarations(**_kwargs: Any) -> list[CheckMessage]:
    """Report workflows that share a name or use a queue that nobody declares."""
    messages: list[CheckMessage] = [
        Error(clash, hint="Names refer to the function from rows, so they must differ.", id="durable_django.E004")
        for clash in registry.workflows.clashes()
    ]
    for name in registry.workflows.names() if is_sound("DEFAULT_QUEUE") else ():
        queue = registry.workflows.get(name).queue
        try:
            registry.queues.require(queue or durable_settings.DEFAULT_QUEUE)
        except UnknownQueue as error:
            hint = "Declare it in a workflows.py, Queue('...'), or name another one: @workflow(queue='...')."
            messages.append(Error(f"Workflow {name}: {error}", hint=hint, id="durable_django.E005"))
    return messages


@register()
def check_followers(**_kwargs: Any) -> list[CheckMessage]:
    """Report workflows that are to start behind others, and that no loaded code has."""
    return [
        Warning(
            f"Workflow {name}: {argument} names {follower!r}, and no loaded code has a workflow of that name."
            f"{registry.nearest(follower, registry.workflows.names())}",
            hint="Correct the name, or load the code. If another project runs it, silence this.",
            id="durable_django.W016",
        )
        for name in registry.workflows.names()
        for argument in ("on_failure", "on_cancel")
        # One that is given as a function is there.
        if isinstance(follower := getattr(registry.workflows.get(name), argument), str)
        and not registry.workflows.knows(follower)
    ]


@register()
def check_schedules(**_kwargs: Any) -> list[CheckMessage]:
    """Report schedules that share a name or use a queue that nobody declares."""
    messages: list[CheckMessage] = [
        Error(clash, hint="Each has a row of its own, by its name.", id="durable_django.E011")
        for clash in timetable.schedules.clashes()
    ]
    by_name = timetable.schedules.by_name() if is_sound("DEFAULT_QUEUE") else {}
    for name, declared in by_name.items():
        try:
            registry.queues.require(declared.queue or durable_settings.DEFAULT_QUEUE)
        except UnknownQueue as error:
            hint = "Declare it in a workflows.py, Queue('...'), or name another one: @schedule(queue='...')."
            messages.append(Error(f"Schedule {name}: {error}", hint=hint, id="durable_django.E012"))
    return messages
