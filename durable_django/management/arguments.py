"""Values on the command line, read for argparse: a bad one is refused at the prompt, with what was expected."""

from __future__ import annotations

import argparse
import json
import re
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from durable_django.api.durations import LONGEST_SECONDS
from durable_django.base.clock import Later, uses_time_zones
from durable_django.base.given import validate_attributes
from durable_django.exceptions import NotSerializable, PayloadTooLarge

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def text(given: str) -> str:
    """
    Return a text that the database can hold.

    An empty one is refused: it comes from a variable that is not set, and as a filter it would fit everything.
    """
    if not given or "\0" in given or not _is_unicode(given):
        raise _refusal("text in UTF-8, not empty", given)
    return given


def number(given: str) -> int:
    """Return a whole number from 1."""
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:10]) <= 10**9 or len(given) > 10:  # noqa: PLR2004
        raise _refusal("a whole number from 1", given)
    return int(given)


def number_or_all(given: str) -> int:
    """Return a whole number, 0 for all."""
    return 0 if given == "0" else number(given)


def duration(given: str) -> float:
    """Return 90s, 30m, 2h, 7d or 2w in seconds."""
    match = _DURATION.fullmatch(given)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else -1.0
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise _refusal("a number and one of s, m, h, d, w, as in 30m or 7d", given)
    return seconds


def delay(given: str) -> float:
    """Return seconds, given as such or as duration() takes them."""
    return float(given) if given.isascii() and given.isdigit() and len(given) <= 10 else duration(given)  # noqa: PLR2004


def moment(given: str) -> Later | datetime:
    """Return so long ago, by the database's clock, or the moment of an ISO date or time in the project's zone."""
    if _DURATION.fullmatch(given):
        return Later(-duration(given))
    found = _moment(given)
    if found is None:
        raise _refusal("a duration such as 2h, or a date or time such as 2026-12-24T18:00", given)
    return found


def date_or_time(given: str) -> datetime:
    """Return the moment of an ISO date or time in the project's zone."""
    found = _moment(given)
    if found is None:
        raise _refusal("a date or time such as 2026-12-24 or 2026-12-24T18:00", given)
    return found


def _moment(given: str) -> datetime | None:
    try:
        day = parse_date(given)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(given)  # noqa: DTZ001 - made aware below
    except ValueError:
        return None
    if found is not None and timezone.is_naive(found) and uses_time_zones():
        return timezone.make_aware(found)
    return found


def attribute(given: str) -> tuple[str, Any]:
    """Return key=value as a pair; a value that is JSON is taken as such, any other as text."""
    key, equals, said = text(given).partition("=")
    if not equals or not key:
        raise _refusal("KEY=VALUE", given)
    try:
        return key, validate_attributes({key: _json_or_text(said)})[key]
    except (NotSerializable, PayloadTooLarge) as error:
        message = f"expected a value that the database can hold, got {given[:200]!r} ({error})"
        raise argparse.ArgumentTypeError(message) from error


def value(given: str) -> Any:
    """Return a value: what is JSON as such, any other as text."""
    return _json_or_text(text(given))


def _json_or_text(given: str) -> Any:
    try:
        return json.loads(given, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return given


def arguments(given: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and keyword arguments of a JSON array or object."""
    found = _json(given)
    if isinstance(found, dict):
        return [], found
    if isinstance(found, list):
        return found, {}
    raise _refusal("a JSON array or object", given)


def keywords(given: str) -> dict[str, Any]:
    """Return the keyword arguments of a JSON object."""
    found = _json(given)
    if isinstance(found, dict):
        return found
    raise _refusal("a JSON object", given)


def _json(given: str) -> Any:
    try:
        return json.loads(given, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise argparse.ArgumentTypeError(f"expected JSON, got {given[:200]!r} ({reason})") from error


def _refuse_constant(name: str) -> Any:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _is_unicode(given: str) -> bool:
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refusal(expected: str, given: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"expected {expected}, got {given[:200]!r}")
