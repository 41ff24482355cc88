"""Percentiles of latencies, and the random pauses between what is timed."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from statistics import quantiles


def of_milliseconds(values: Sequence[float]) -> dict[str, float]:
    percentiles = quantiles(values, n=100, method="inclusive")
    return {"p50": percentiles[49], "p99": percentiles[98]}


def pause_at_random() -> None:
    """Pause for 50 to 150 ms, so that no rhythm of the measurement meets a rhythm of the worker."""
    time.sleep(random.uniform(0.05, 0.15))
