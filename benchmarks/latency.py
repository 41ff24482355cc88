"""Start-to-body latency: from the call of start() in one process to the body of the first step in an idle worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks import percentiles, workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="latency",
    size=200,
    quick_size=60,
    rows=(
        Row(
            "p50",
            "start-to-body latency of an idle worker, p50 (ms)",
            (Target("postgresql", at_most=6), Target("sqlite", at_most=12)),
        ),
        Row(
            "p99",
            "start-to-body latency of an idle worker, p99 (ms)",
            (Target("postgresql", at_most=15), Target("sqlite", at_most=30)),
        ),
    ),
)
_WARM_UP_STARTS = 10


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import moment_of_body

    with workers.durable_worker():
        return _latencies(size, moment_of_body.start)


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    client, options = dbos_side.client(), dbos_side.options_for("moment_of_body")
    with workers.dbos_worker():
        return _latencies(size, lambda: client.enqueue(options), result=lambda handle: handle.get_result())


def _latencies(
    size: int, start: Callable[[], Any], result: Callable[[Any], float] = lambda handle: handle.result()
) -> dict[str, float]:
    """Start at random moments, and never wait for a result in between, which would be a load on the database."""
    for _number in range(_WARM_UP_STARTS):
        result(start())
    starts = [_start_after_pause(start) for _number in range(size)]
    return percentiles.of_milliseconds([(result(handle) - started_at) * 1000 for started_at, handle in starts])


def _start_after_pause(start: Callable[[], Any]) -> tuple[float, Any]:
    percentiles.pause_at_random()
    started_at = time.clock_gettime(time.CLOCK_MONOTONIC)
    return started_at, start()
