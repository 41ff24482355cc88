"""How long the only workflow of a partition waits, while another partition of the queue has a hundred thousand."""

from __future__ import annotations

import time
from statistics import median

from benchmarks import crowds, workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="newcomer",
    size=100_000,
    quick_size=10_000,
    sides=("durable",),
    rows=(
        Row(
            "first",
            "first start of a partition behind 100,000 workflows of another one (ms)",
            (Target("postgresql", at_most=1000), Target("sqlite", at_most=1000)),
        ),
    ),
)
_NEWCOMERS = 10


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import moment_of_body, one_step

    one_step.using(id="pattern", queue="fair", partition_key="crowd").start(1)
    crowds.copy_workflows("pattern", "crowd", size)
    crowds.tidy()
    with workers.durable_worker():
        one_step.using(queue="probes").start(1).result()
        milliseconds = []
        for number in range(_NEWCOMERS):
            started_at = time.clock_gettime(time.CLOCK_MONOTONIC)
            handle = moment_of_body.using(queue="fair", partition_key=f"newcomer-{number}").start()
            milliseconds.append((handle.result() - started_at) * 1000)
    return {"first": median(milliseconds)}
