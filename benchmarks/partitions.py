"""Workflows per second from a queue of a thousand partitions, each of which runs one at a time."""

from __future__ import annotations

from benchmarks import drain
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="partitions",
    size=20_000,
    quick_size=2000,
    rows=(
        Row(
            "rate",
            "workflows per second, 1,000 partitions that run one at a time, 2 worker processes",
            (Target("postgresql", of="dbos", at_least=2),),
        ),
    ),
)
_PARTITIONS = 1000
_PROCESSES = 2


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import one_step

    for tenant in range(_PARTITIONS):
        keyed = one_step.using(queue="tenants", partition_key=f"t{tenant}")
        keyed.start_many([(number,) for number in range(size // _PARTITIONS)])
    return {"rate": drain.durable_rate(size, _PROCESSES)}


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    dbos_side.enqueue(dbos_side.TENANTS_QUEUE, size, _PARTITIONS)
    return {"rate": drain.dbos_rate(size, _PROCESSES)}
