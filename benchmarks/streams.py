"""A stream: how many entries a second a step writes in batches, and how long after they come to who reads them live."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from benchmarks import percentiles, workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="streams",
    size=10,
    quick_size=3,
    rows=(
        Row(
            "rate",
            "stream entries a second, written from a step in batches of 100",
            (Target("postgresql", at_least=5000), Target("sqlite", at_least=5000)),
        ),
        Row(
            "p50",
            "stream entry written to read live in another process, p50 (ms)",
            (Target("postgresql", at_most=30), Target("sqlite", at_most=30)),
        ),
        Row("p99", "stream entry written to read live in another process, p99 (ms)"),
    ),
)
_BATCH = 100
#: Batches a second while delays are measured: 1,000 entries a second, which leaves reader and writer time.
_PAUSE_SECONDS = 0.1


def durable(seconds: int) -> dict[str, float]:
    from benchmarks.workflows import publishes
    from durable_django import read_stream

    with workers.durable_worker():
        rate = publishes.start(seconds, _BATCH, 0).result()
        handle = publishes.start(seconds, _BATCH, _PAUSE_SECONDS)
        return {"rate": rate, **_delays(read_stream(handle.id, "moments"))}


def dbos(seconds: int) -> dict[str, float]:
    from benchmarks import dbos_side

    client, options = dbos_side.client(), dbos_side.options_for("publishes")
    with workers.dbos_worker():
        rate = client.enqueue(options, seconds, _BATCH, 0).get_result()
        handle = client.enqueue(options, seconds, 1, _PAUSE_SECONDS / _BATCH * 10)
        workers.wait_until(lambda: dbos_side.has_workflows("PENDING"))
        return {"rate": rate, **_delays(client.read_stream(handle.workflow_id, "moments"))}


def _delays(entries: Iterable[Any]) -> dict[str, float]:
    """Return the percentiles of how long after the call that wrote it an entry came."""
    return percentiles.of_milliseconds(
        [(time.clock_gettime(time.CLOCK_MONOTONIC) - written_at) * 1000 for written_at in entries]
    )
