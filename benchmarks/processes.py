"""Workflows per second, one step each, drained from a queue without limits by one, two and four worker processes."""

from __future__ import annotations

from benchmarks import drain
from benchmarks.measurement import Measurement, Row, Target

_PROCESSES = (1, 2, 4)

MEASUREMENT = Measurement(
    name="processes",
    # The first process drains while the others still start: enough must be left when all are there.
    size=8000,
    quick_size=2000,
    rows=tuple(
        Row(
            f"rate_{count}",
            f"workflows per second, one step each, {count} worker processes with 8 threads",
            (Target("postgresql", of="dbos", at_least=3),),
        )
        for count in _PROCESSES
    ),
)


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import one_step
    from durable_django.models import Workflow

    rates = {}
    for count in _PROCESSES:
        Workflow.objects.all().delete()
        one_step.start_many([(number,) for number in range(size)])
        rates[f"rate_{count}"] = drain.durable_rate(size, count)
    return rates


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    rates = {}
    for count in _PROCESSES:
        dbos_side.forget_all()
        dbos_side.enqueue(dbos_side.QUEUE, size)
        rates[f"rate_{count}"] = drain.dbos_rate(size, count)
    return rates
