"""Durations and moments as users give them, checked at the call that takes them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from durable_django.base.clock import FOR_EVER
from durable_django.base.given import moment_of

__all__ = ["LONGEST_SECONDS", "moment_of", "retention_of", "seconds_of"]

#: A century. Beyond it lie mistakes, and dates that databases cannot add.
LONGEST_SECONDS = 100 * 366 * 24 * 3600.0


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
        return FOR_EVER
    return min(math.ceil(seconds_of(value, "retention")), FOR_EVER)
