"""How soon the work of a killed process runs again on the same machine, with default settings."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import workers
from benchmarks.measurement import Measurement, Row, Target

_TARGETS = tuple(Target(database, at_most=3) for database in ("postgresql", "sqlite"))

MEASUREMENT = Measurement(
    name="recovery",
    size=1,
    quick_size=1,
    sides=("durable",),
    rows=(
        Row("child", "a killed worker process: seconds until its workflow runs again", _TARGETS),
        Row("family", "killed with its supervisor, a neighbour lives: seconds until its workflow runs again", _TARGETS),
    ),
)


def durable(_size: int) -> dict[str, float]:
    with workers.durable_worker() as supervisor:
        child = _seconds_until_again(lambda: workers.children_of(supervisor))
    with workers.durable_worker() as supervisor, ExitStack() as neighbours:

        def leave_to_a_neighbour() -> list[int]:
            neighbours.enter_context(workers.durable_worker())
            workers.wait_until(lambda: _living() == 2)
            return [supervisor, *workers.children_of(supervisor)]

        return {"child": child, "family": _seconds_until_again(leave_to_a_neighbour)}


def _living() -> int:
    from durable_django.models import Worker

    return Worker.objects.alive().count()


def _seconds_until_again(victims: Callable[[], list[int]]) -> float:
    """Kill processes in the midst of a step. Return the seconds until its workflow runs again."""
    from benchmarks.workflows import lingers_at_first

    handle = lingers_at_first.start()
    workers.wait_until(lambda: handle.refresh().status == "running", every=0.02)
    pids = victims()
    killed_at = time.clock_gettime(time.CLOCK_MONOTONIC)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return handle.result() - killed_at
