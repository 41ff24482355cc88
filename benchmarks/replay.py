"""A workflow with a long history is woken: from the message to the step behind its wait."""

from __future__ import annotations

import time
from statistics import median

from benchmarks import percentiles, workers
from benchmarks.measurement import Measurement, Row, Target

_TARGETS = (Target("postgresql", at_most=100), Target("sqlite", at_most=100))

MEASUREMENT = Measurement(
    name="replay",
    size=1000,
    quick_size=300,
    sides=("durable",),
    rows=(Row("resumed", "a workflow of 1,000 recorded steps goes on after a message (ms)", _TARGETS),),
)
_WORKFLOWS = 10


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import remembers
    from durable_django import send
    from durable_django.models import Workflow

    with workers.durable_worker():
        handles = remembers.start_many([(size,)] * _WORKFLOWS)
        workers.wait_until(lambda: Workflow.objects.waiting().count() == _WORKFLOWS)
        milliseconds = []
        for handle in handles:
            percentiles.pause_at_random()
            sent_at = time.clock_gettime(time.CLOCK_MONOTONIC)
            send(handle.id, 1)
            milliseconds.append((handle.result() - sent_at) * 1000)
    return {"resumed": median(milliseconds)}
