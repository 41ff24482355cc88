"""Workflows per second, one step each, drained from a queue with a global concurrency of 50 by two worker processes."""

from __future__ import annotations

from benchmarks import drain
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="bound",
    size=2000,
    quick_size=500,
    rows=(
        Row(
            "rate",
            "workflows per second, queue with concurrency 50, 2 worker processes",
            (Target("postgresql", of="dbos", at_least=2),),
        ),
    ),
)
_PROCESSES = 2


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import one_step

    one_step.using(queue="bound").start_many([(number,) for number in range(size)])
    return {"rate": drain.durable_rate(size, _PROCESSES)}


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    dbos_side.enqueue(dbos_side.BOUND_QUEUE, size)
    return {"rate": drain.dbos_rate(size, _PROCESSES)}
