"""Workflows that are hurt while they run: they raise flags where they are, and wait to be hurt there."""

from __future__ import annotations

import os
import signal
import time

from django.db import transaction

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
def held(label: str) -> str:
    """Say that it runs, then wait for the test, in each call anew: go-<label>-1, go-<label>-2."""
    Mark.objects.create(label=label)
    flags.wait_for(f"go-{label}-{flags.raise_flag(f'in-{label}')}")
    return label


@step(atomic=True)
def held_atomic(label: str) -> str:
    Mark.objects.create(label=label)
    flags.wait_for(f"go-{label}-{flags.raise_flag(f'in-{label}')}")
    return label


@step
def follow(label: str) -> str:
    """Say which process has come here."""
    flags.raise_flag(f"in-{label}")
    return label


@workflow
def held_in_plain(key: str) -> list[str]:
    """A plain step that the test holds, between two others."""
    return [atomic_mark(f"{key}-before"), held(key), follow(f"{key}-next")]


@workflow
def held_at_first(key: str) -> list[str]:
    """A plain step that the test holds, and one behind it."""
    return [held(key), follow(f"{key}-next")]


@workflow
def held_in_atomic(key: str) -> list[str]:
    """An atomic step that the test holds, between two others."""
    return [atomic_mark(f"{key}-before"), held_atomic(key), follow(f"{key}-next")]


@workflow
def held_before_atomic(key: str) -> str:
    """Hold still between steps, then run an atomic one."""
    flags.wait_for(f"go-{key}-{flags.raise_flag(f'in-{key}')}")
    return atomic_mark(f"{key}-next")


@workflow
def names_its_process(key: str) -> int:
    """Return something else in each process: the code is not deterministic, the outcome must be one all the same."""
    follow(key)
    return os.getpid()


@step
def kill_me(label: str) -> str:
    if not flags.times("mended"):
        flags.raise_flag(f"in-{label}")
        os.kill(os.getpid(), signal.SIGKILL)
    return label


@workflow(max_recoveries=3)
def poison(key: str) -> str:
    """It kills whoever runs it."""
    return kill_me(key)


@step
def interrupt(label: str) -> str:
    if flags.raise_flag(f"in-{label}") == 1:
        raise KeyboardInterrupt
    return label


@workflow
def interrupts_itself(key: str) -> str:
    """Its first call presses Ctrl-C."""
    return interrupt(key)


@step
def slow(label: str, seconds: float) -> str:
    flags.raise_flag(f"in-{label}")
    time.sleep(seconds)
    return label


@step(atomic=True)
def slow_atomic(label: str, seconds: float) -> str:
    Mark.objects.create(label=label)
    flags.raise_flag(f"in-{label}")
    time.sleep(seconds)
    return label


@step
def slow_in_a_block(label: str, seconds: float) -> str:
    """Be idle in a transaction of its own."""
    with transaction.atomic():
        Mark.objects.create(label=label)
        flags.raise_flag(f"in-{label}")
        time.sleep(seconds)
        Mark.objects.create(label=f"{label}-end")
    return label


@step
def burning(label: str, seconds: float) -> str:
    """Use the processor without a pause, hardly ever giving another thread a turn."""
    flags.raise_flag(f"in-{label}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100_000))
    return label


@step(timeout=0.2)
def held_too_long(label: str) -> str:
    flags.raise_flag(f"in-{label}")
    flags.wait_for(f"go-{label}")
    return label


@workflow
def takes_too_long(key: str) -> str:
    """A step that the test holds for longer than its timeout."""
    return held_too_long(key)


@workflow
def takes_long(key: str, seconds: float) -> list[str]:
    return [slow(key, seconds), follow(f"{key}-next")]


@workflow
def takes_long_atomically(key: str, seconds: float) -> list[str]:
    return [slow_atomic(key, seconds), follow(f"{key}-next")]


@workflow
def takes_long_in_a_block(key: str, seconds: float) -> list[str]:
    return [slow_in_a_block(key, seconds), follow(f"{key}-next")]


@workflow
def takes_long_in_its_own_block(key: str, seconds: float) -> list[str]:
    """The workflow's own code is idle in a transaction, between two steps."""
    with transaction.atomic():
        Mark.objects.create(label=key)
        flags.raise_flag(f"in-{key}")
        time.sleep(seconds)
        Mark.objects.create(label=f"{key}-end")
    return [key, follow(f"{key}-next")]


@workflow
def burns(key: str, seconds: float) -> list[str]:
    return [burning(key, seconds), follow(f"{key}-next")]


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
