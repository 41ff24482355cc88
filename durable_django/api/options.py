"""The options of using(), checked one by one at the call that gives them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from durable_django.api.declaring import LONGEST_NAME, is_name
from durable_django.api.durations import moment_of, seconds_of
from durable_django.base import ids, registry
from durable_django.base.given import priority_of, validate_attributes
from durable_django.engine.starting import Debounced, StartOptions
from durable_django.models import subjects

_DUPLICATE_POLICIES = ("raise", "return_existing")


class Given(NamedTuple):
    """The options of using() as a call gives them; None for those that it does not."""

    id: Any
    queue: Any
    priority: Any
    delay: Any
    run_after: Any
    timeout: Any
    attributes: Any
    user: Any
    deduplication_key: Any
    on_duplicate: Any
    debounce: Any
    partition_key: Any
    subject: Any
    version: Any


def start_options(before: StartOptions, **given: Any) -> StartOptions:
    """Return the options with the given ones changed; None leaves an option as it was."""
    changes: dict[str, Any] = {}
    for option, value in given.items():
        if value is not None:
            changes.update(_CHECKS[option](value))
    options = replace(before, **changes)
    _require_fitting(options)
    return options


@dataclass(frozen=True)
class Debounce:
    """
    Start when no further call came for so long.

    seconds      seconds, or a timedelta, after the last call
    max_seconds  seconds, or a timedelta, after the first call at the latest; None: calls may put it off for ever

    Raises TypeError or ValueError, naming the argument, for values out of range.
    """

    seconds: float | timedelta
    max_seconds: float | timedelta | None = None

    def __post_init__(self) -> None:
        if self.in_seconds.max_seconds is not None and self.in_seconds.max_seconds < self.in_seconds.seconds:
            message = f"Debounce(max_seconds={self.max_seconds!r}) is less than seconds={self.seconds!r}."
            raise ValueError(message)

    @property
    def in_seconds(self) -> Debounced:
        """Both in seconds."""
        longest = None if self.max_seconds is None else seconds_of(self.max_seconds, "Debounce(max_seconds=)")
        return Debounced(seconds_of(self.seconds, "Debounce(seconds=)"), longest)


def _require_fitting(options: StartOptions) -> None:
    """Raise ValueError for options that contradict each other."""
    if options.delay_seconds is not None and options.run_after is not None:
        message = f"Give delay= or run_after=, not both: got {options.delay_seconds} s and {options.run_after}."
        raise ValueError(message)
    if options.debounce is None:
        return
    if options.delay_seconds is not None or options.run_after is not None:
        message = "debounce= says when the workflow starts: give neither delay= nor run_after= with it."
        raise ValueError(message)
    if options.deduplication_key is None:
        message = "debounce= needs a deduplication_key=, which says what calls belong together: 'profile-7', say."
        raise ValueError(message)


def _user(value: Any) -> str:
    """Return the primary key of a user as text; nobody for an anonymous one."""
    key = getattr(value, "pk", value)
    if key is None:
        return ""
    if isinstance(key, bool) or (not isinstance(key, int | str) and not hasattr(key, "hex")):
        message = f"user must be a user, or the primary key of one, got {value!r}."
        raise TypeError(message)
    return str(key)


def _key(value: Any, argument: str) -> str:
    """Return a key of 1 to 255 printable characters. Raises TypeError or ValueError, naming the argument."""
    if not isinstance(value, str):
        message = f"{argument} must be a str, got {value!r}."
        raise TypeError(message)
    if not is_name(value):
        message = f"{argument} must have 1 to {LONGEST_NAME} printable characters, got {value[:80]!r}."
        raise ValueError(message)
    return value


def _debounce(value: Any) -> Debounced:
    if not isinstance(value, Debounce):
        message = f"debounce must be a Debounce, as in debounce=Debounce(5, max_seconds=60), got {value!r}."
        raise TypeError(message)
    return value.in_seconds


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
    "user": lambda value: {"started_by": _user(value), "user": value},
    "subject": lambda value: {"subject": subjects.require_saved(value)},
    "version": lambda value: {"version": _key(value, "version")},
    "deduplication_key": lambda value: {"deduplication_key": _key(value, "deduplication_key")},
    "debounce": lambda value: {"debounce": _debounce(value)},
    "partition_key": lambda value: {"partition_key": _key(value, "partition_key")},
    "on_duplicate": lambda value: {"on_duplicate": _policy(value)},
}
