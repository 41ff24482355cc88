"""Workflows per second, one step each, started before and drained by one worker process: first claim to last end."""

from __future__ import annotations

import time

from benchmarks import workers
from benchmarks.measurement import Measurement, Row, Target

MEASUREMENT = Measurement(
    name="drain",
    size=2000,
    quick_size=500,
    rows=(
        Row(
            "rate",
            "workflows per second, one step each, one process with 8 threads",
            (Target("postgresql", of="dbos", at_least=3), Target("sqlite", of="dbos", at_least=5)),
        ),
    ),
)


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import one_step

    one_step.start_many([(number,) for number in range(size)])
    return {"rate": durable_rate(size)}


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    dbos_side.enqueue(dbos_side.QUEUE, size)
    return {"rate": dbos_rate(size)}


def durable_rate(size: int, processes: int = 1) -> float:
    """Let workers drain what was started. Return how many a second, from the first claim to the last end."""
    from django.db.models import Max, Min

    from durable_django.models import Workflow

    with workers.durable_worker(processes):
        # Most of the time nothing is asked: a question is a load too.
        workers.wait_until(lambda: not Workflow.objects.exclude(status="succeeded").exists(), every=0.2)
    ends = Workflow.objects.aggregate(began_at=Min("claimed_at"), ended_at=Max("finished_at"))
    return size / float((ends["ended_at"] - ends["began_at"]).total_seconds())


def dbos_rate(size: int, processes: int = 1) -> float:
    """See durable_rate()."""
    from benchmarks import dbos_side

    with workers.dbos_worker(processes):
        # On SQLite its rows carry whole seconds; what its steps carry is exact.
        workers.wait_until(lambda: not dbos_side.has_only("ENQUEUED"), every=0.01)
        began_at = time.time()
        workers.wait_until(lambda: not dbos_side.has_workflows("ENQUEUED", "PENDING"), every=0.2)
    return size / (dbos_side.last_step_ended_at() - began_at)
