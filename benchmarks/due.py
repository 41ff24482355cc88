"""Ten thousand sleepers are due in the same second: how long they take, and what another queue feels of it."""

from __future__ import annotations

import time

from benchmarks import crowds, filling, percentiles, workers
from benchmarks.measurement import Measurement, Row, Target

_TARGETS = (Target("postgresql", at_most=1000), Target("sqlite", at_most=1000))

MEASUREMENT = Measurement(
    name="due",
    size=10_000,
    quick_size=1000,
    sides=("durable",),
    rows=(
        Row("rate", "10,000 due in the same second: sleepers a second that go on and end"),
        Row("p50", "meanwhile: start-to-body latency on another queue, p50 (ms)"),
        Row("p99", "meanwhile: start-to-body latency on another queue, p99 (ms)", _TARGETS),
    ),
)

#: Enough for the statement that makes them due to be over when they are.
_NOTICE_SECONDS = 5


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import moment_of_body
    from durable_django.models import Workflow

    filling.asleep(size)
    crowds.tidy()
    probe = moment_of_body.using(queue="probes")
    with workers.durable_worker():
        probe.start().result()
        crowds.sleep_until(crowds.seconds_from_now(str(_NOTICE_SECONDS)), "sleeps", size)
        time.sleep(_NOTICE_SECONDS)
        began_at = time.monotonic()
        starts = []
        while Workflow.objects.filter(name="benchmarks.sleeps").exclude(status="succeeded").exists():
            percentiles.pause_at_random()
            starts.append((time.clock_gettime(time.CLOCK_MONOTONIC), probe.start()))
        rate = size / (time.monotonic() - began_at)
        delays = [(handle.result() - started_at) * 1000 for started_at, handle in starts]
    return {"rate": rate, **percentiles.of_milliseconds(delays)}
