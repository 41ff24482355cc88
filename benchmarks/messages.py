"""From the call of send() in one process to the step behind a receive() in another, the workflow being suspended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import percentiles, workers
from benchmarks.measurement import THREADS, Measurement, Row, Target

MEASUREMENT = Measurement(
    name="messages",
    size=200,
    quick_size=48,
    rows=(
        Row(
            "p50",
            "send() to the step behind receive(), p50 (ms)",
            (Target("postgresql", at_most=10), Target("sqlite", at_most=20)),
        ),
        Row(
            "p99",
            "send() to the step behind receive(), p99 (ms)",
            (Target("postgresql", at_most=20), Target("sqlite", at_most=60)),
        ),
    ),
)
#: What a workflow of dbos needs to have come to its recv() after it was claimed: nothing tells when it has.
_SETTLING_SECONDS = 2.0


def durable(size: int) -> dict[str, float]:
    """All of them wait at once: a workflow that waits holds no thread."""
    from benchmarks.workflows import hears
    from durable_django import send
    from durable_django.models import Workflow

    with workers.durable_worker():
        handles = hears.start_many([()] * size)
        workers.wait_until(lambda: Workflow.objects.waiting().count() == size)
        return percentiles.of_milliseconds(_delays(handles, send, lambda handle: handle.result()))


def dbos(size: int) -> dict[str, float]:
    """As many at a time as have a thread."""
    from benchmarks import dbos_side

    client, delays = dbos_side.client(), []
    with workers.dbos_worker():
        for _batch in range(size // THREADS):
            handles = [client.enqueue(dbos_side.options_for("hears")) for _number in range(THREADS)]
            workers.wait_until(lambda: not dbos_side.has_workflows("ENQUEUED"))
            time.sleep(_SETTLING_SECONDS)
            delays += _delays(handles, client.send, lambda handle: handle.get_result())
    return percentiles.of_milliseconds(delays)


def _delays(handles: Sequence[Any], send: Callable[[str, int], None], result: Callable[[Any], float]) -> list[float]:
    sent_at = [_send_after_pause(handle, send) for handle in handles]
    return [(result(handle) - moment) * 1000 for handle, moment in zip(handles, sent_at, strict=True)]


def _send_after_pause(handle: Any, send: Callable[[str, int], None]) -> float:
    percentiles.pause_at_random()
    moment = time.clock_gettime(time.CLOCK_MONOTONIC)
    send(getattr(handle, "id", None) or handle.workflow_id, 1)
    return moment
