"""The settings of durable_django: keys that do not exist, values that cannot be or contradict each other."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from durable_django.base import registry
from durable_django.conf import SETTING, defaults, durable_settings

_LEAST: dict[str, float] = {
    "LEASE_SECONDS": 1,
    "HEARTBEAT_SECONDS": 0.1,
    "POLL_SECONDS": 0.01,
    "THREADS": 1,
    "ASYNC_CONCURRENCY": 1,
    "ASYNC_CONNECTIONS": 3,
    "MAX_RECOVERIES": 0,
    "MAX_PAYLOAD_BYTES": 1024,
    "MAX_DEPTH": 1,
    "MAX_ID_LENGTH": 1,
    "MAX_ERROR_BYTES": 1024,
    "RETENTION_DAYS": 0,
    "FAILED_RETENTION_DAYS": 0,
    "IDEMPOTENCY_DAYS": 0,
}
#: A century of days, beyond which lie dates that databases cannot count back to.
_CENTURY_DAYS = 36_500
_MOST: dict[str, float] = {
    "MAX_ID_LENGTH": 255,
    "MAX_DEPTH": 200,
    "RETENTION_DAYS": _CENTURY_DAYS,
    "FAILED_RETENTION_DAYS": _CENTURY_DAYS,
    "IDEMPOTENCY_DAYS": _CENTURY_DAYS,
}
#: Of what may be a fraction, and of what may be None, which says for ever.
_FRACTIONS = ("_SECONDS", "_DAYS")
_ENDLESS = "_DAYS"


@register()
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """Report keys that do not exist and values that cannot be."""
    chosen = getattr(settings, SETTING, {})
    if not isinstance(chosen, dict):
        hint = f"Write {SETTING} = {{'LEASE_SECONDS': 30}}."
        return [Error(f"{SETTING} must be a dict, got {chosen!r}.", hint=hint, id="durable_django.E001")]
    messages = [_unknown(key) for key in chosen if key not in defaults()]
    messages += [message for key in chosen if key in defaults() for message in _judge(key, chosen[key])]
    return messages or [*_judge_lease(), *_judge_permission()]


def _unknown(key: Any) -> CheckMessage:
    hint = registry.nearest(str(key), defaults()).strip() or f"Known keys: {', '.join(sorted(defaults()))}."
    return Error(f"{SETTING} has no key {key!r}.", hint=hint, id="durable_django.E002")


def _judge(key: str, value: Any) -> list[CheckMessage]:
    default = defaults()[key]
    expected = _expected(key, default)
    if _is_fine(key, value, default):
        return []
    message = f"{SETTING}[{key!r}] must be {expected}, got {value!r}."
    return [Error(message, hint=f"The default is {default!r}.", id="durable_django.E003")]


def _expected(key: str, default: Any) -> str:
    kind = {bool: "True or False", int: "a whole number", float: "a number", str: "a str"}[type(default)]
    kind = "a number" if key.endswith(_FRACTIONS) else kind
    bounds = f" from {_LEAST[key]:g}" if key in _LEAST else ""
    bounds += f" to {_MOST[key]:g}" if key in _MOST else ""
    return kind + bounds + (", or None" if key.endswith(_ENDLESS) else "")


def _is_fine(key: str, value: Any, default: Any) -> bool:
    if isinstance(default, bool | str):
        return type(value) is type(default) and (key != "DEFAULT_QUEUE" or bool(str(value).strip()))
    if value is None:
        return key.endswith(_ENDLESS)
    kinds = (int, float) if key.endswith(_FRACTIONS) else (int,)
    if type(value) not in kinds or not math.isfinite(value):
        return False
    return bool(_LEAST.get(key, -math.inf) <= value <= _MOST.get(key, math.inf))


def _judge_lease() -> list[CheckMessage]:
    lease, beat = durable_settings.LEASE_SECONDS, durable_settings.HEARTBEAT_SECONDS
    if beat * 2 <= lease:
        return []
    message = f"HEARTBEAT_SECONDS ({beat}) must be at most half of LEASE_SECONDS ({lease})."
    hint = "One lost heartbeat must not cost a worker its lease."
    return [Error(message, hint=hint, id="durable_django.E008")]


def _judge_permission() -> list[CheckMessage]:
    chosen = durable_settings.STREAM_PERMISSION
    try:
        if not chosen or callable(import_string(chosen)):
            return []
        reason = "it is not callable"
    except ImportError as error:
        reason = str(error)
    hint = "Write def may_read(request, workflow_id, key): ... and name it as a dotted path."
    return [Error(f"STREAM_PERMISSION is {chosen!r}: {reason}.", hint=hint, id="durable_django.E010")]
