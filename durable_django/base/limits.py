"""Limits of a queue: how many workflows may run at the same time, and how many may start in a while."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

#: Largest limit and longest window (a year) that a row can hold and a count can serve.
_MOST = 2**31 - 1
_LONGEST_SECONDS = 366 * 86_400.0


@dataclass(frozen=True)
class Rate:
    """
    At most so many starts in any sliding window.

    limit  starts, a whole number from 1
    per    seconds, or a timedelta, at most a year

    Raises ValueError or TypeError, naming the argument, for anything else.
    """

    limit: int
    per: float | timedelta

    def __post_init__(self) -> None:
        _require_count("Rate(limit=)", self.limit, least=1)
        if isinstance(self.per, bool) or not isinstance(self.per, int | float | timedelta):
            message = f"Rate(per=) must be seconds or a timedelta, got {self.per!r}."
            raise TypeError(message)
        if not (math.isfinite(self.seconds) and 0 < self.seconds <= _LONGEST_SECONDS):
            message = f"Rate(per=) must be more than 0 seconds and at most a year, got {self.per!r}."
            raise ValueError(message)

    @property
    def seconds(self) -> float:
        """The length of the window."""
        return self.per.total_seconds() if isinstance(self.per, timedelta) else float(self.per)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """
    The limits of one queue, as its row holds them; None: no limit.

    concurrency             workflows that run at the same time, on all workers; 0 starts none
    worker_concurrency      the same, for each worker process
    rate_limit              starts in any rate_seconds
    is_partitioned          every workflow has a partition key, and the partitions are served in turn
    partition_concurrency   workflows of one partition that run at the same time
    partition_rate_limit    starts of one partition in any partition_rate_seconds
    """

    concurrency: int | None = None
    worker_concurrency: int | None = None
    rate_limit: int | None = None
    rate_seconds: float | None = None
    is_partitioned: bool = False
    partition_concurrency: int | None = None
    partition_rate_limit: int | None = None
    partition_rate_seconds: float | None = None

    @property
    def is_limited(self) -> bool:
        """Whether a claim has to count anything, or to choose among partitions."""
        return self != Limits()

    @property
    def has_rates(self) -> bool:
        """Whether starts are counted."""
        return self.rate_limit is not None or self.partition_rate_limit is not None

    def as_columns(self) -> dict[str, Any]:
        """Return the columns of a queue's row."""
        return asdict(self)


NAMES = tuple(each.name for each in fields(Limits))


def limits_of(**given: Any) -> Limits:
    """
    Return the limits that a declaration has put in words: the keywords of changes_of(), None where there is no limit.

    Raises ValueError or TypeError, naming the argument, also for limits that contradict each other.
    """
    limits = Limits(**changes_of(**given))
    require_agreement(limits)
    return limits


def require_agreement(limits: Limits) -> None:
    """Raise ValueError, beginning with the name of the limit, if one could never be reached or would not be counted."""
    _require_not_above("worker_concurrency", limits.worker_concurrency, "concurrency", limits.concurrency)
    _require_not_above("partition_concurrency", limits.partition_concurrency, "concurrency", limits.concurrency)
    for name, value in (
        ("partition_concurrency", limits.partition_concurrency),
        ("partition_rate", limits.partition_rate_limit),
    ):
        if value is not None and not limits.is_partitioned:
            message = f"{name} ({value}) needs a partitioned queue."
            raise ValueError(message)


def changes_of(**given: Any) -> dict[str, Any]:
    """
    Return the columns that are to be changed; a limit of each partition makes the queue partitioned.

    given  concurrency, worker_concurrency, partition_concurrency: whole numbers from 0; rate, partition_rate: a Rate;
           partitioned: a bool; None: no limit

    Raises TypeError for an unknown name, ValueError or TypeError, naming the argument, for a value out of range.
    """
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _COLUMNS:
            message = f"{name!r} is no limit of a queue. Choose from {', '.join(_COLUMNS)}."
            raise TypeError(message)
        changes.update(_COLUMNS[name](name, value))
    if changes.get("partition_concurrency") is None and changes.get("partition_rate_limit") is None:
        return changes
    if given.get("partitioned") is False:
        message = "partition_concurrency and partition_rate need a partitioned queue: leave partitioned=False out."
        raise ValueError(message)
    return {**changes, "is_partitioned": True}


def _count(name: str, value: Any) -> dict[str, Any]:
    if value is not None:
        _require_count(name, value, least=0)
    return {name: value}


def _rate(name: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, Rate):
        message = f"{name} must be a Rate, as in {name}=Rate(100, per=60), got {value!r}."
        raise TypeError(message)
    return {f"{name}_limit": value.limit if value else None, f"{name}_seconds": value.seconds if value else None}


def _partitioned(name: str, value: Any) -> dict[str, Any]:
    if value not in (None, True, False):
        message = f"{name} must be True or False, got {value!r}."
        raise TypeError(message)
    return {"is_partitioned": bool(value)}


_COLUMNS: dict[str, Any] = {
    "concurrency": _count,
    "worker_concurrency": _count,
    "rate": _rate,
    "partitioned": _partitioned,
    "partition_concurrency": _count,
    "partition_rate": _rate,
}


def _require_count(name: str, value: Any, *, least: int) -> None:
    if type(value) is not int:
        message = f"{name} must be a whole number, got {value!r}."
        raise TypeError(message)
    if not least <= value <= _MOST:
        message = f"{name} must be from {least} to {_MOST}, got {value!r}."
        raise ValueError(message)


def _require_not_above(name: str, value: int | None, other: str, bound: int | None) -> None:
    if value is not None and bound is not None and value > bound:
        message = f"{name} ({value}) can never be reached, since {other} is {bound}."
        raise ValueError(message)
