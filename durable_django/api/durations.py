"""Durations and moments as users give them, checked at the call that takes them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from durable_django.base import clock

#: A century. Beyond it lie mistakes, and dates that databases cannot add.
LONGEST_SECONDS = 100 * 366 * 24 * 3600.0
#: A year less than Python knows, since a zone may put a moment into the next one.
_FIRST_YEAR, _LAST_YEAR = 2, 9998


def seconds_of(value: Any, argument: str, *, at_least: float = 0.0) -> float:
    """
    Return a duration in seconds.

    Raises TypeError for anything but a number or a timedelta, ValueError, naming the argument, if it is not finite,
    below `at_least` or longer than a century.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{argument} must be a number of seconds or a timedelta, got {value!r}."
        raise TypeError(message)
    # NaN is not between anything.
    if not at_least <= value <= LONGEST_SECONDS:
        message = f"{argument} must be between {at_least:g} seconds and a century, got {value!r}."
        raise ValueError(message)
    return float(value)


def retention_of(value: Any) -> int | None:
    """
    Return a retention in whole seconds, as rows keep it: rounded up, for math.inf what means for ever. None stays.

    Raises TypeError or ValueError as seconds_of() does.
    """
    if value is None:
        return None
    if value == math.inf:
        return clock.FOR_EVER
    return min(math.ceil(seconds_of(value, "retention")), clock.FOR_EVER)


def moment_of(value: Any, argument: str) -> datetime:
    """
    Return an aware moment; a naive one is taken in the default time zone, but only where USE_TZ is off.

    Raises TypeError for anything but a datetime, ValueError, naming the argument, for a naive one under USE_TZ, and
    for one so early or late that it does not exist in every time zone.
    """
    if not isinstance(value, datetime):
        message = f"{argument} must be a datetime, got {value!r}."
        raise TypeError(message)
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        message = f"{argument} must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}, got {value!r}."
        raise ValueError(message)
    if timezone.is_aware(value):
        return value
    if clock.uses_time_zones():
        message = f"{argument} must be an aware datetime since USE_TZ is on, got {value!r}. Use django.utils.timezone."
        raise ValueError(message)
    return timezone.make_aware(value, timezone.get_default_timezone())
