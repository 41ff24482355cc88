"""Workflows per second, one step each, started before and drained by one worker process."""

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
    """
    Let workers drain what was started.

    Return how many a second from the moment when all processes can claim, or from the first claim if that is later, to
    the last end. What the first process has drained while the others were still starting does not count.
    """
    from django.db.models import Max

    from durable_django.models import Worker, Workflow

    ended = Workflow.objects.filter(status="succeeded")
    with workers.durable_worker(processes):
        workers.wait_until(lambda: Worker.objects.alive().count() == processes, every=0.02)
        workers.wait_until(lambda: Workflow.objects.exclude(status="queued").exists(), every=0.01)
        began_at, before = time.time(), ended.count()
        # Most of the time nothing is asked: a question is a load too.
        workers.wait_until(lambda: not Workflow.objects.exclude(status="succeeded").exists(), every=0.2)
    return (size - before) / float(ended.aggregate(at=Max("finished_at"))["at"].timestamp() - began_at)


def dbos_rate(size: int, processes: int = 1) -> float:
    """See durable_rate()."""
    from benchmarks import dbos_side

    with workers.dbos_worker(processes):
        workers.wait_until(lambda: not dbos_side.has_only("ENQUEUED"), every=0.01)
        began_at, before = time.time(), dbos_side.count("SUCCESS")
        workers.wait_until(lambda: not dbos_side.has_workflows("ENQUEUED", "PENDING"), every=0.2)
    # On SQLite its rows carry whole seconds; what its steps carry is exact.
    return (size - before) / (dbos_side.last_step_ended_at() - began_at)
