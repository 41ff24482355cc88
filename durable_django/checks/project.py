"""The project around: other apps, other settings of Django."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.management import get_commands
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import get_resolver

from durable_django import tasks
from durable_django.conf import durable_settings, is_debug

_PAGE = "admin/durable_django/change_list.html"


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


@register()
def check_time_zone(**_kwargs: Any) -> list[CheckMessage]:
    """Report that moments are naive."""
    if settings.USE_TZ:
        return []
    text = (
        "USE_TZ is off: moments are local times without a zone, and in the hour that the clocks repeat one means two "
        "instants."
    )
    return [Warning(text, hint="Set USE_TZ = True.", id="durable_django.W009")]


@register(Tags.security, deploy=True)
def check_debug(**_kwargs: Any) -> list[CheckMessage]:
    """Report workers that run as in development; asked by `check --deploy`."""
    if not is_debug():
        return []
    text = "DEBUG is on: workers begin anew whenever a file of the source changes, and stop steps in their midst."
    return [Warning(text, hint="Set DEBUG = False, or start workers with --no-reload.", id="durable_django.W010")]


@register(Tags.urls)
def check_addresses(**_kwargs: Any) -> list[CheckMessage]:
    """Report streams and measures that have an address, and that nobody may read by it."""
    if durable_settings.STREAM_PERMISSION or durable_settings.MONITORING_TOKEN or not _has_addresses():
        return []
    text = (
        "durable_django.urls is included, and neither STREAM_PERMISSION nor MONITORING_TOKEN is set: streams answer "
        "403, and so do health and metrics to every probe and scraper."
    )
    hint = "Name a callable that decides, {'STREAM_PERMISSION': 'shop.streams.may_read'}, or set a long random token."
    return [Warning(text, hint=hint, id="durable_django.W011")]


def _has_addresses() -> bool:
    if not getattr(settings, "ROOT_URLCONF", None):
        return False
    try:
        return "durable_django" in get_resolver().app_dict
    except Exception:  # noqa: BLE001 - addresses of the project; what is wrong with them is said by Django's own checks
        return False


@register(Tags.templates)
def check_templates(**_kwargs: Any) -> list[CheckMessage]:
    """Report that the pages of the admin have no templates."""
    if not apps.is_installed("django.contrib.admin"):
        return []
    try:
        get_template(_PAGE)
    except TemplateDoesNotExist:
        text = f"The admin's pages do not find their templates, such as {_PAGE}."
        hint = (
            "Set 'APP_DIRS': True in TEMPLATES, or add django.template.loaders.app_directories.Loader to its loaders."
        )
        return [Warning(text, hint=hint, id="durable_django.W012")]
    except Exception:  # noqa: BLE001 - settings of templates; what is wrong with them is said by Django's own checks
        return []
    return []
