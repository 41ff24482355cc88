"""Laps: the rate of something done many times, by the median of ten laps, so that one slow fsync does not decide."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

#: Calls before the clock starts: connections, compiled and prepared statements are there when it does.
_WARM_UP = 30
_LAPS = 10


def rate(act: Callable[[int], Any], size: int) -> float:
    """Call act(number) about `size` times. Return how many calls a second the median lap made."""
    for number in range(_WARM_UP):
        act(number)
    each = max(1, size // _LAPS)
    return each / median(_lap(act, _WARM_UP + lap * each, each) for lap in range(_LAPS))


def _lap(act: Callable[[int], Any], first: int, count: int) -> float:
    began_at = time.perf_counter()
    for number in range(first, first + count):
        act(number)
    return time.perf_counter() - began_at
