"""Workflows that are hurt while they run: they raise flags where they are, and wait to be hurt there."""

from __future__ import annotations

import os
import signal
import time

from durable_django import step, workflow
from tests.sample import flags
from tests.sample.models import Mark

#: Long enough to be killed in, short enough for a test that went wrong to end.
FOR_EVER = 60.0


def linger(name: str) -> None:
    """In the first call wait to be hurt; in every later one go on."""
    if flags.raise_flag(name) == 1:
        time.sleep(FOR_EVER)


@step(atomic=True)
def atomic_mark(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@step
def plain_mark(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@step
def lingering_plain(label: str) -> str:
    Mark.objects.create(label=label)
    linger(f"in-{label}")
    return label


@step(atomic=True)
def lingering_atomic(label: str) -> str:
    Mark.objects.create(label=label)
    linger(f"in-{label}")
    return label


@workflow
def dies_in_plain(key: str) -> list[str]:
    return [atomic_mark(f"{key}-before"), lingering_plain(f"{key}-plain"), atomic_mark(f"{key}-after")]


@workflow
def dies_in_atomic(key: str) -> list[str]:
    return [plain_mark(f"{key}-before"), lingering_atomic(f"{key}-atomic"), plain_mark(f"{key}-after")]


@workflow
def marks(key: str) -> list[str]:
    """Atomic, plain, atomic: whatever happens, each atomic mark is made once."""
    return [atomic_mark(f"{key}-1"), plain_mark(f"{key}-2"), atomic_mark(f"{key}-3")]


@step
def gated(label: str) -> str:
    """Say that it runs, then wait for the test."""
    flags.raise_flag(f"in-{label}")
    flags.wait_for(f"go-{label}")
    return label


@step(atomic=True)
def gated_atomic(label: str) -> str:
    Mark.objects.create(label=label)
    flags.raise_flag(f"in-{label}")
    flags.wait_for(f"go-{label}")
    return label


@workflow
def gated_marks(key: str) -> list[str]:
    """A step that the test holds, between two atomic ones."""
    return [atomic_mark(f"{key}-1"), gated(key), atomic_mark(f"{key}-3")]


@workflow
def gated_in_atomic(key: str) -> list[str]:
    """An atomic step that the test holds, and one behind it."""
    return [gated_atomic(key), atomic_mark(f"{key}-after")]


@step
def kill_me(label: str) -> None:
    flags.raise_flag(f"in-{label}")
    os.kill(os.getpid(), signal.SIGKILL)


@workflow(max_recoveries=4)
def poison(key: str) -> None:
    """It kills whoever runs it."""
    kill_me(key)


@step
def slow(label: str, seconds: float) -> str:
    flags.raise_flag(f"in-{label}")
    time.sleep(seconds)
    return label


@step
def burning(label: str, seconds: float) -> str:
    """Use the processor without a pause, hardly ever giving another thread a turn."""
    flags.raise_flag(f"in-{label}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100_000))
    return label


@workflow
def takes_long(key: str, seconds: float) -> str:
    return slow(key, seconds)


@workflow
def burns(key: str, seconds: float) -> str:
    return burning(key, seconds)


@step
def charge(label: str) -> str:
    Mark.objects.create(label=f"{label}-charge")
    return label


@step
def refund(label: str) -> None:
    Mark.objects.create(label=f"{label}-refund")


@workflow
def careful(key: str) -> str:
    """Refund at the first sign of trouble: the engine's own trouble must be none."""
    try:
        atomic_mark(f"{key}-reserve")
        return charge(key)
    except Exception:
        refund(key)
        raise
