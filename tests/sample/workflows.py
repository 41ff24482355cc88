"""The workflows that the suite runs."""

from __future__ import annotations

from durable_django import Retry, step, workflow
from tests.sample import (  # noqa: F401 - register more workflows
    bounded,
    branching,
    crashing,
    looping,
    operated,
    queued,
    released,
    scheduled,
    stressed,
    talking,
)
from tests.sample.models import Mark


@step(atomic=True)
def mark_atomically(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@step
def mark(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@workflow
def two_marks(label: str) -> list[str]:
    """One atomic and one plain step."""
    return [mark_atomically(f"{label}-atomic"), mark(f"{label}-plain")]


class Flaky:
    """How often the next calls of `flaky` fail."""

    failures = 0


@step(retry=Retry(max_attempts=3, base_seconds=10, jitter=0))
def flaky(label: str) -> str:
    Mark.objects.create(label=label)
    if Flaky.failures:
        Flaky.failures -= 1
        raise ConnectionError("the provider does not answer")
    return label


@workflow
def retried(label: str) -> str:
    """One step that fails at times."""
    return flaky(label)
