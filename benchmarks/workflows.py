"""The workflows that are measured; dbos_side.py has the same ones for dbos."""

from __future__ import annotations

import time

from benchmarks import laps
from durable_django import step, workflow


@step
def add_one(number: int) -> int:
    return number + 1


@step
def note_moment() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@workflow
def sequence(count: int) -> float:
    """Call one step after the other. Return how many a second."""
    return laps.rate(add_one, count)


@workflow
def one_step(number: int) -> int:
    return add_one(number)


@workflow
def moment_of_body() -> float:
    return note_moment()
