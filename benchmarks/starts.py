"""Single starts per second from one thread, while no worker runs."""

from __future__ import annotations

from benchmarks import laps
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="starts",
    size=1000,
    quick_size=300,
    rows=(
        Row(
            "rate",
            "single starts per second",
            (Target("postgresql", of="dbos", at_least=2), Target("sqlite", of="dbos", at_least=2)),
        ),
    ),
)


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import one_step

    return {"rate": laps.rate(one_step.start, size)}


def dbos(size: int) -> dict[str, float]:
    """Start from a process that runs dbos: there it was seen to be a little faster than from its client."""
    from dbos import DBOS

    from benchmarks import dbos_side

    with dbos_side.launched():
        return {
            "rate": laps.rate(lambda number: DBOS.enqueue_workflow(dbos_side.QUEUE, dbos_side.one_step, number), size)
        }
