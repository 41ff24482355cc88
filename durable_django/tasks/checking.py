"""
What is wrong with the settings of a backend.

E101 durable_django is not in INSTALLED_APPS   E102 unknown key in OPTIONS   E103 value of a wrong type or range
W101 ENQUEUE_ON_COMMIT, which django.tasks does not have
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name

from durable_django.api.declaring import is_name
from durable_django.base.registry import nearest
from durable_django.tasks.options import DEFAULTS, fault_in


def messages(alias: str, params: Mapping[str, Any], *, is_installed: bool) -> Iterator[CheckMessage]:
    """Yield a message for each thing that is wrong with TASKS[alias]."""
    place = f"TASKS[{alias!r}]"
    if not is_installed:
        text = f"{place} names the backend of durable_django, which is not in INSTALLED_APPS."
        yield Error(text, hint="Add 'durable_django' to INSTALLED_APPS, and migrate.", id="durable_django.E101")
    yield from _judge_options(f"{place}['OPTIONS']", params.get("OPTIONS", {}))
    yield from _judge_queues(f"{place}['QUEUES']", params.get("QUEUES", []))
    for part in (params, params.get("OPTIONS", {})):
        if isinstance(part, Mapping) and "ENQUEUE_ON_COMMIT" in part:
            hint = "A task is enqueued in the caller's transaction. For another database: enqueue_on_commit()."
            text = f"{place} has ENQUEUE_ON_COMMIT, which django.tasks does not have any more."
            yield Warning(text, hint=hint, id="durable_django.W101")


def _judge_options(place: str, options: Any) -> Iterator[CheckMessage]:
    if not isinstance(options, Mapping):
        hint = f"Write {{'max_attempts': 3}}; known keys: {', '.join(DEFAULTS)}."
        yield Error(f"{place} must be a dict, got {options!r}.", hint=hint, id="durable_django.E103")
        return
    for key in options:
        if key not in DEFAULTS and key != "ENQUEUE_ON_COMMIT":
            hint = nearest(str(key), DEFAULTS).strip() or f"Known keys: {', '.join(DEFAULTS)}."
            yield Error(f"{place} has no key {key!r}.", hint=hint, id="durable_django.E102")
    for key in DEFAULTS:
        if fault := fault_in({key: options.get(key)}):
            yield Error(f"{place}: {fault}", hint=f"The default is {DEFAULTS[key]!r}.", id="durable_django.E103")


def _judge_queues(place: str, queues: Any) -> Iterator[CheckMessage]:
    if isinstance(queues, str) or not all(map(is_name, queues)):
        hint = "A queue's name has 1 to 255 printable characters; an empty list allows any."
        yield Error(f"{place} must be a list of names, got {queues!r}.", hint=hint, id="durable_django.E103")
