"""From the start of a child to its result in the parent, on a worker that has nothing else to do."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import percentiles, workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="children",
    size=100,
    quick_size=30,
    rows=(
        Row(
            "p50",
            "start of a child to its result in the parent, p50 (ms)",
            (Target("postgresql", at_most=40), Target("sqlite", at_most=40)),
        ),
        Row("p99", "start of a child to its result in the parent, p99 (ms)"),
    ),
)


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import has_child

    with workers.durable_worker():
        return _latencies(size, lambda: has_child.start().result())


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    client, options = dbos_side.client(), dbos_side.options_for("has_child")
    with workers.dbos_worker():
        return _latencies(size, lambda: client.enqueue(options).get_result())


def _latencies(size: int, run: Callable[[], float]) -> dict[str, float]:
    """One parent after the other: of dbos, more at a time than there are threads would wait for each other for ever."""
    run()
    seconds = []
    for _number in range(size):
        percentiles.pause_at_random()
        seconds.append(run())
    return percentiles.of_milliseconds([each * 1000 for each in seconds])
