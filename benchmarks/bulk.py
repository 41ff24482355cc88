"""Rows per second that one call of start_many() inserts, beside a loop of dbos, which has no such call."""

from __future__ import annotations

import time

from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="bulk",
    size=10_000,
    quick_size=2000,
    rows=(
        Row(
            "rate",
            "rows per second of start_many()",
            (Target("postgresql", at_least=10_000), Target("postgresql", of="dbos", at_least=10)),
        ),
    ),
)


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import one_step

    one_step.start_many([(0,)] * 100)
    began_at = time.perf_counter()
    one_step.start_many([(number,) for number in range(size)])
    return {"rate": size / (time.perf_counter() - began_at)}


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    dbos_side.enqueue(dbos_side.QUEUE, 10)
    began_at = time.perf_counter()
    dbos_side.enqueue(dbos_side.QUEUE, size)
    return {"rate": size / (time.perf_counter() - began_at)}
