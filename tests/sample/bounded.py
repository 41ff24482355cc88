"""Workflows of the boundary sweep: one for each way through the engine. What fails is decided by what is recorded."""

from __future__ import annotations

import time

from durable_django import RetriesExhausted, Retry, current_step, step, workflow
from tests.sample.models import Mark

#: A longer pause than a nap: the workflow suspends.
SUSPENDING = Retry(max_attempts=3, base_seconds=10, jitter=0)
NAPPING = Retry(max_attempts=2, base_seconds=0.01, jitter=0)


def mark(label: str, *, fails_before_attempt: int = 1) -> str:
    """Leave a mark, then fail if the step has not been called often enough."""
    Mark.objects.create(label=label)
    info = current_step()
    if info is not None and info.attempt < fails_before_attempt:
        message = f"{label} fails in attempt {info.attempt}"
        raise ConnectionError(message)
    return label


@step
def plain(label: str) -> str:
    return mark(label)


@step(atomic=True)
def atomic(label: str) -> str:
    return mark(label)


@step(retry=SUSPENDING)
def plain_suspending(label: str) -> str:
    return mark(label, fails_before_attempt=2)


@step(atomic=True, retry=SUSPENDING)
def atomic_suspending(label: str) -> str:
    return mark(label, fails_before_attempt=2)


@step(retry=NAPPING)
def plain_napping(label: str) -> str:
    return mark(label, fails_before_attempt=2)


@step(atomic=True, retry=NAPPING)
def atomic_napping(label: str) -> str:
    return mark(label, fails_before_attempt=2)


@step(retry=NAPPING)
def hopeless(label: str) -> str:
    return mark(label, fails_before_attempt=9)


@step(atomic=True)
def refused(label: str) -> str:
    Mark.objects.create(label=label)
    message = f"{label} is refused"
    raise ValueError(message)


@step(timeout=0.01)
def late(label: str) -> str:
    time.sleep(0.02)
    return mark(label)


@workflow
def plain_and_atomic() -> list[str]:
    return [plain("p1"), atomic("a2"), atomic("a3"), plain("p4")]


@workflow
def suspended() -> list[str]:
    return [atomic_suspending("a1"), plain("p2")]


@workflow
def napping() -> list[str]:
    return [atomic("a1"), plain_napping("p2"), atomic_napping("a3")]


@workflow
def compensated() -> str:
    """Its code catches what its step raises, at every replay again."""
    atomic("a1")
    try:
        return hopeless("p2")
    except RetriesExhausted as error:
        return atomic(f"a3 after {type(error).__name__}")


@workflow(retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def retried_as_a_whole() -> str:
    plain("p1")
    return refused("a2")


@workflow(timeout=5)
def cancelled_at_its_deadline() -> list[str]:
    """It waits for a retry when its time is up."""
    return [atomic("a1"), plain_suspending("p2"), atomic("a3")]


@workflow
def timed_out() -> str:
    plain("p1")
    return late("p2")
