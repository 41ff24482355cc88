"""The project around: other apps, other settings of Django."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.management import get_commands

from durable_django import tasks


@register()
def check_tasks(**_kwargs: Any) -> list[CheckMessage]:
    """Report a backend for tasks that nothing can ask for; what is wrong with one that can be is for itself to say."""
    chosen = getattr(settings, "TASKS", {})
    backends = chosen.items() if isinstance(chosen, dict) and not tasks.is_available() else ()
    hint = "python -m pip install 'durable-django[tasks]', and add 'django_tasks' to INSTALLED_APPS."
    return [
        Error(
            f"TASKS[{alias!r}] names the backend of durable_django, but there is no django.tasks here.",
            hint=hint,
            id="durable_django.E104",
        )
        for alias, params in backends
        if isinstance(params, dict) and str(params.get("BACKEND", "")).startswith("durable_django.tasks.")
    ]


@register(Tags.compatibility)
def check_command(**_kwargs: Any) -> list[CheckMessage]:
    """Report that `manage.py worker` would run another app's command."""
    owner = get_commands().get("worker")
    if owner == "durable_django":
        return []
    text = f"`manage.py worker` runs the command of {owner}, which stands before durable_django in INSTALLED_APPS."
    return [Warning(text, hint="Use `manage.py durable worker`, or move durable_django up.", id="durable_django.W002")]
