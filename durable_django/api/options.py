"""The options of using(), checked one by one at the call that gives them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from durable_django.api.durations import moment_of, seconds_of
from durable_django.base import ids, registry
from durable_django.engine.starting import StartOptions, validate_attributes

_DUPLICATE_POLICIES = ("raise", "return_existing")
_HIGHEST_PRIORITY = 100


def start_options(before: StartOptions, **given: Any) -> StartOptions:
    """Return the options with the given ones changed; None leaves an option as it was."""
    changes: dict[str, Any] = {}
    for option, value in given.items():
        if value is not None:
            changes.update(_CHECKS[option](value))
    options = replace(before, **changes)
    if options.delay_seconds is not None and options.run_after is not None:
        message = f"Give delay= or run_after=, not both: got {options.delay_seconds} s and {options.run_after}."
        raise ValueError(message)
    return options


def priority_of(value: Any) -> int:
    """Return the priority. Raises ValueError unless it is a whole number from -100 to 100."""
    if type(value) is not int or not -_HIGHEST_PRIORITY <= value <= _HIGHEST_PRIORITY:
        message = f"priority must be a whole number from -100 to 100, larger first, got {value!r}."
        raise ValueError(message)
    return value


def _user(value: Any) -> str:
    """Return the primary key of a user as text; nobody for an anonymous one."""
    key = getattr(value, "pk", value)
    if key is None:
        return ""
    if isinstance(key, bool) or (not isinstance(key, int | str) and not hasattr(key, "hex")):
        message = f"user must be a user, or the primary key of one, got {value!r}."
        raise TypeError(message)
    return str(key)


def _policy(value: Any) -> str:
    if value not in _DUPLICATE_POLICIES:
        message = f"on_duplicate must be one of {', '.join(_DUPLICATE_POLICIES)}, got {value!r}."
        raise ValueError(message)
    return str(value)


_CHECKS: dict[str, Any] = {
    "id": lambda value: {"id": ids.validate_id(value)},
    "queue": lambda value: {"queue": registry.queues.require(value)},
    "priority": lambda value: {"priority": priority_of(value)},
    "delay": lambda value: {"delay_seconds": seconds_of(value, "delay")},
    "run_after": lambda value: {"run_after": moment_of(value, "run_after")},
    "timeout": lambda value: {"timeout_seconds": seconds_of(value, "timeout", at_least=0.001)},
    "attributes": lambda value: {"attributes": validate_attributes(value)},
    "user": lambda value: {"started_by": _user(value)},
    "on_duplicate": lambda value: {"on_duplicate": _policy(value)},
}
