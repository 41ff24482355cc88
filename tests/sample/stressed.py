"""Workflows of the stress run: their names say how they must end, their results and marks what must have happened."""

from __future__ import annotations

import random
import time

from durable_django import Retry, current_step, step, workflow
from tests.sample.models import Mark

NAPPING = Retry(max_attempts=4, base_seconds=0.05, jitter=0.5)
SUSPENDING = Retry(max_attempts=3, base_seconds=1.2, factor=1, jitter=0)


def work(label: str, most_seconds: float) -> str:
    """Leave a mark, with a pause before and behind it: most kills come in a pause."""
    time.sleep(random.random() * most_seconds / 2)
    Mark.objects.create(label=label)
    time.sleep(random.random() * most_seconds / 2)
    return label


@step(atomic=True)
def apply(label: str) -> str:
    return work(label, 0.02)


@step
def perform(label: str) -> str:
    return work(label, 0.1)


@step
def perform_slowly(label: str) -> str:
    return work(label, 3)


@step(retry=NAPPING)
def perform_at_the_third_call(label: str) -> str:
    return _at_call(3, label)


@step(retry=SUSPENDING)
def perform_at_the_second_call(label: str) -> str:
    return _at_call(2, label)


@step(atomic=True, retry=NAPPING)
def apply_at_the_second_call(label: str) -> str:
    return _at_call(2, label)


@step
def refuse(label: str) -> str:
    message = f"{label} is refused"
    raise ValueError(message)


def _at_call(number: int, label: str) -> str:
    work(label, 0.02)
    info = current_step()
    if info is not None and info.attempt < number:
        message = "not yet"
        raise ConnectionError(message)
    return label


@workflow
def quick(key: str) -> list[str]:
    return [apply(f"{key}/a1"), perform(f"{key}/p2"), apply(f"{key}/a3")]


@workflow
def many_steps(key: str) -> list[str]:
    return [(apply if place % 2 else perform)(f"{key}/{'pa'[place % 2]}{place}") for place in range(1, 13)]


@workflow
def slow(key: str) -> list[str]:
    return [apply(f"{key}/a1"), perform_slowly(f"{key}/p2"), apply(f"{key}/a3")]


@workflow
def retrying(key: str) -> list[str]:
    return [
        perform_at_the_third_call(f"{key}/p1"),
        apply_at_the_second_call(f"{key}/a2"),
        perform_at_the_second_call(f"{key}/p3"),
        apply(f"{key}/a4"),
    ]


@workflow
def keeps_calm(key: str) -> list[str]:
    """No step of its own fails, so whatever it catches is the engine's trouble, and must not be seen."""
    try:
        return [apply(f"{key}/a1"), perform(f"{key}/p2"), perform(f"{key}/p3")]
    except Exception:
        apply(f"{key}/refund")
        raise


@workflow
def ends_badly(key: str) -> str:
    apply(f"{key}/a1")
    perform(f"{key}/p2")
    return refuse(key)


#: For each workflow the marks that it leaves when nobody cancels it.
PLACES = {
    "quick": ("a1", "p2", "a3"),
    "many_steps": tuple(f"{'pa'[place % 2]}{place}" for place in range(1, 13)),
    "slow": ("a1", "p2", "a3"),
    "retrying": ("p1", "a2", "p3", "a4"),
    "keeps_calm": ("a1", "p2", "p3"),
    "ends_badly": ("a1", "p2"),
}
WORKFLOWS = {
    "quick": quick,
    "many_steps": many_steps,
    "slow": slow,
    "retrying": retrying,
    "keeps_calm": keeps_calm,
    "ends_badly": ends_badly,
}
