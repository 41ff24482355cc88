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
    from django.db.models import Max, Min

    from benchmarks.workflows import one_step
    from durable_django.models import Workflow

    one_step.start_many([(number,) for number in range(size)])
    with workers.durable_worker():
        # Most of the time nothing is asked: a question is a load too.
        workers.wait_until(lambda: not Workflow.objects.exclude(status="succeeded").exists(), every=0.2)
    ends = Workflow.objects.aggregate(began_at=Min("claimed_at"), ended_at=Max("finished_at"))
    return {"rate": size / (ends["ended_at"] - ends["began_at"]).total_seconds()}


def dbos(size: int) -> dict[str, float]:
    from dbos import DBOS

    from benchmarks import dbos_side

    with dbos_side.launched():
        for number in range(size):
            DBOS.enqueue_workflow(dbos_side.QUEUE, dbos_side.one_step, number)
    with workers.dbos_worker():
        # On SQLite its rows carry whole seconds; what its steps carry is exact.
        workers.wait_until(lambda: dbos_side.has_workflows("PENDING"), every=0.01)
        began_at = time.time()
        workers.wait_until(lambda: not dbos_side.has_workflows("ENQUEUED", "PENDING"), every=0.2)
    return {"rate": size / (dbos_side.last_step_ended_at() - began_at)}
