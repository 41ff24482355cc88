"""Retry: from the number of a failed attempt to the delay before the next one, or the end. Pure."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from durable_django.exceptions import RegistrationError

#: No single delay is longer than a year: beyond that it is a mistake, and date arithmetic overflows.
LONGEST_DELAY_SECONDS = 366 * 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Retry:
    """
    How often, and after which pauses, something that failed is called again.

    max_attempts  calls in all, the first included; at least 1
    base_seconds  pause after the first failure
    factor        each further pause is so many times longer; at least 1
    max_seconds   no pause is longer
    jitter        share by which a pause is varied at random, 0 to 1: many callers do not come back all at once
    retry_on      exception classes worth a retry; any other one ends it at once

    The count and the time of the next attempt are kept in the database: a crash resets neither.
    Raises RegistrationError, naming the argument, if one is out of range.
    """

    max_attempts: int = 3
    base_seconds: float = 1.0
    factor: float = 2.0
    max_seconds: float = 300.0
    jitter: float = 0.1
    retry_on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        count: Any = self.max_attempts
        self._require("max_attempts", "a whole number from 1", is_fine=type(count) is int and count >= 1)
        self._require_within("base_seconds", 0, LONGEST_DELAY_SECONDS)
        self._require_within("factor", 1, 1e6)
        self._require_within("max_seconds", 0, LONGEST_DELAY_SECONDS)
        self._require_within("jitter", 0, 1)
        given: Any = self.retry_on
        classes = given if isinstance(given, tuple) else (given,)
        are_errors = all(isinstance(kind, type) and issubclass(kind, Exception) for kind in classes)
        self._require("retry_on", "a tuple of Exception classes", is_fine=are_errors)
        object.__setattr__(self, "retry_on", classes)

    def _require_within(self, argument: str, low: float, high: float) -> None:
        is_fine = _is_within(getattr(self, argument), low, high)
        self._require(argument, f"a number from {low:g} to {high:g}", is_fine=is_fine)

    def _require(self, argument: str, expected: str, *, is_fine: bool) -> None:
        if not is_fine:
            value = getattr(self, argument)
            raise RegistrationError(message=f"Retry({argument}=) must be {expected}, got {value!r}.")

    def delay_after(self, attempt: int, error: BaseException) -> float | None:
        """Return the seconds to wait after failed attempt number `attempt` (from 1), or None if it was the last."""
        if attempt >= self.max_attempts or not isinstance(error, self.retry_on):
            return None
        return self._pause(attempt)

    def is_exhausted_by(self, attempt: int, error: BaseException) -> bool:
        """Whether the failure was worth a retry but none is left."""
        return self.max_attempts > 1 and attempt >= self.max_attempts and isinstance(error, self.retry_on)

    def _pause(self, attempt: int) -> float:
        try:
            pause = self.base_seconds * self.factor ** (attempt - 1)
        except OverflowError:
            pause = self.max_seconds
        spread = 1 + self.jitter * (2 * random.random() - 1)  # noqa: S311 - spreads load, guards nothing
        return float(min(min(pause, self.max_seconds) * spread, self.max_seconds))


def _is_within(value: Any, low: float, high: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and low <= value <= high
