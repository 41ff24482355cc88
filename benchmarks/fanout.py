"""A parent that starts many children at once and gathers their results, all in one worker process."""

from __future__ import annotations

from benchmarks import workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="fanout",
    size=1000,
    quick_size=300,
    rows=(
        Row(
            "rate",
            "children a second, started and gathered by one parent",
            (Target("postgresql", of="dbos", at_least=2), Target("sqlite", of="dbos", at_least=2)),
        ),
    ),
)


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import fans_out, one_step

    with workers.durable_worker():
        one_step.start(1).result()
        return {"rate": fans_out.start(size).result()}


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    client = dbos_side.client()
    with workers.dbos_worker():
        client.enqueue(dbos_side.options_for("one_step"), 1).get_result()
        return {"rate": client.enqueue(dbos_side.options_for("fans_out"), size).get_result()}
