"""The settings of durable_django: keys that do not exist, values that cannot be or contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from durable_django.api.declaring import LONGEST_NAME, is_name
from durable_django.base import registry
from durable_django.base.payloads.decoding import MAX_STORED_BYTES
from durable_django.base.payloads.texts import safe_repr, safe_str
from durable_django.conf import SETTING, defaults, durable_settings

#: A century of days, beyond which lie dates that databases cannot count back to.
_CENTURY_DAYS = 36_500
#: The least and the most of each number. Waits of more than a day are none that anybody wants, and overflow timers.
_BOUNDS: dict[str, tuple[float, float]] = {
    "LEASE_SECONDS": (1, 86_400),
    "HEARTBEAT_SECONDS": (0.1, 43_200),
    "POLL_SECONDS": (0.01, 86_400),
    "QUEUE_DELAY_SECONDS": (1, 2_592_000),
    "THREADS": (1, 10_000),
    "ASYNC_CONCURRENCY": (1, 1_000_000),
    "ASYNC_CONNECTIONS": (3, 10_000),
    "MAX_RECOVERIES": (0, 1_000_000),
    # What is larger would be stored, and never be read again.
    "MAX_PAYLOAD_BYTES": (1024, MAX_STORED_BYTES),
    "MAX_DEPTH": (1, 200),
    "MAX_ID_LENGTH": (1, 255),
    "MAX_ERROR_BYTES": (1024, MAX_STORED_BYTES),
    "RETENTION_DAYS": (0, _CENTURY_DAYS),
    "FAILED_RETENTION_DAYS": (0, _CENTURY_DAYS),
    "IDEMPOTENCY_DAYS": (0, _CENTURY_DAYS),
}
#: Texts that are written into columns, and whether each can be.
_TEXTS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "DEFAULT_QUEUE": (f" of 1 to {LONGEST_NAME} printable characters", is_name),
    "APPLICATION": (
        f" of at most {LONGEST_NAME} printable characters",
        lambda text: text.isprintable() and len(text) <= LONGEST_NAME,
    ),
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
        return [Error(f"{SETTING} must be a dict, got {safe_repr(chosen)}.", hint=hint, id="durable_django.E001")]
    messages = [_unknown(key) for key in chosen if key not in defaults()]
    messages += [message for key in chosen if key in defaults() for message in _judge(key, chosen[key])]
    return messages or [*_judge_lease(), *_judge_permission(), *_judge_redaction()]


def is_sound(key: str) -> bool:
    """Whether the value of a setting can be; for checks that go by it, which leave the report to check_settings()."""
    return not _judge(key, getattr(durable_settings, key))


def _unknown(key: Any) -> CheckMessage:
    shown = safe_repr(key)
    hint = registry.nearest(shown.strip("'"), defaults()).strip() or f"Known keys: {', '.join(sorted(defaults()))}."
    return Error(f"{SETTING} has no key {shown}.", hint=hint, id="durable_django.E002")


def _judge(key: str, value: Any) -> list[CheckMessage]:
    default = defaults()[key]
    if _is_fine(key, value, default):
        return []
    # Messages end up in logs, where no secret belongs.
    got = type(value).__name__ if key.endswith("_TOKEN") else safe_repr(value)
    message = f"{SETTING}[{key!r}] must be {_expected(key, default)}, got {got}."
    return [Error(message, hint=f"The default is {default!r}.", id="durable_django.E003")]


def _expected(key: str, default: Any) -> str:
    kind = {bool: "True or False", int: "a whole number", float: "a number", str: "a str"}[type(default)]
    kind = "a number" if key.endswith(_FRACTIONS) else kind
    if key in _TEXTS:
        return kind + _TEXTS[key][0]
    if key not in _BOUNDS:
        return kind
    least, most = _BOUNDS[key]
    return f"{kind} from {least:.15g} to {most:.15g}" + (", or None" if key.endswith(_ENDLESS) else "")


def _is_fine(key: str, value: Any, default: Any) -> bool:
    if isinstance(default, bool):
        return type(value) is bool
    if isinstance(default, str):
        return type(value) is str and (key not in _TEXTS or _TEXTS[key][1](value))
    if value is None:
        return key.endswith(_ENDLESS)
    kinds = (int, float) if key.endswith(_FRACTIONS) else (int,)
    least, most = _BOUNDS[key]
    # A whole number is compared as it is, however large; NaN is never within bounds.
    return type(value) in kinds and least <= value <= most


def _judge_lease() -> list[CheckMessage]:
    lease, beat = durable_settings.LEASE_SECONDS, durable_settings.HEARTBEAT_SECONDS
    if beat * 2 <= lease:
        return []
    message = f"HEARTBEAT_SECONDS ({beat}) must be at most half of LEASE_SECONDS ({lease})."
    hint = "One lost heartbeat must not cost a worker its lease."
    return [Error(message, hint=hint, id="durable_django.E008")]


def _judge_permission() -> list[CheckMessage]:
    hint = "Write def may_read(request, workflow_id, key): ... and name it as a dotted path."
    reason = _why_not_callable(chosen := durable_settings.STREAM_PERMISSION)
    text = f"STREAM_PERMISSION is {safe_repr(chosen)}: {reason}."
    return [Error(text, hint=hint, id="durable_django.E010")] if reason else []


def _judge_redaction() -> list[CheckMessage]:
    hint = "Write def redact(name, value): ... and name it as a dotted path. Until then nothing is shown."
    reason = _why_not_callable(chosen := durable_settings.REDACT)
    return [Error(f"REDACT is {safe_repr(chosen)}: {reason}.", hint=hint, id="durable_django.E013")] if reason else []


def _why_not_callable(path: str) -> str:
    """Return what is wrong with a setting that names a callable; empty if nothing is, or it names none."""
    try:
        return "" if not path or callable(import_string(path)) else "it is not callable"
    except Exception as error:  # noqa: BLE001 - a module of the project may raise anything when it is imported
        return f"{type(error).__name__}: {safe_str(error)}"
