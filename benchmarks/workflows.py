"""The workflows that are measured; dbos_side.py has the same ones for dbos."""

from __future__ import annotations

import time
from functools import partial

from benchmarks import laps
from durable_django import Queue, current_workflow, gather, receive, sleep, step, workflow, write_stream

#: Whoever stays for so long is killed in the meantime.
_LONG_SECONDS = 600

Queue("probes")
Queue("bound", concurrency=50)
Queue("tenants", partition_concurrency=1)
Queue("fair", partitioned=True)


@step
def add_one(number: int) -> int:
    return number + 1


@step
def note_moment() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@step
def judge(text: str, *, succeeds: bool) -> str:
    if not succeeds:
        message = f"Nobody takes {text}."
        raise ValueError(message)
    return text


@workflow
def sequence(count: int) -> float:
    """Call one step after the other. Return how many a second."""
    return laps.rate(add_one, count)


@workflow
def one_step(number: int) -> int:
    return add_one(number)


@workflow
def five_steps(text: str, *, succeeds: bool) -> str:
    """Call five steps, the last of which may fail."""
    for number in range(4):
        add_one(number)
    return judge(text, succeeds=succeeds)


@workflow
def moment_of_body() -> float:
    return note_moment()


@workflow
def hears() -> float:
    """Wait for a message. Return when the step behind it began."""
    receive(timeout=None)
    return note_moment()


@workflow
def lingers_at_first() -> float:
    """Stay in the first attempt for long. Return when the step of the next one began."""
    if current_workflow().attempt == 1:
        time.sleep(_LONG_SECONDS)
    return note_moment()


@workflow
def sleeps() -> float:
    """Sleep for a day. Return when the step behind it began."""
    sleep(86_400)
    return note_moment()


@workflow
def has_child() -> float:
    """Return the seconds from the start of a child to its result here."""
    began_at = note_moment()
    handle = one_step.start(1)
    handle.result()
    return note_moment() - began_at


@workflow
def fans_out(count: int) -> float:
    """Return how many children a second were started, run and gathered."""
    began_at = note_moment()
    gather(*(partial(one_step, number) for number in range(count)))
    return count / (note_moment() - began_at)


@workflow
def remembers(count: int) -> float:
    """Make many steps, then wait for a message. Return when the step behind it began."""
    for number in range(count):
        add_one(number)
    receive(timeout=None)
    return note_moment()


@step
def write_batches(seconds: float, batch: int, pause: float) -> float:
    """Write moments into a stream, so many at a time. Return how many a second were written."""
    began_at, written = time.monotonic(), 0
    while time.monotonic() < began_at + seconds:
        write_stream("moments", *[time.clock_gettime(time.CLOCK_MONOTONIC)] * batch)
        written += batch
        time.sleep(max(0.0, began_at + written / batch * pause - time.monotonic()))
    return written / (time.monotonic() - began_at)


@workflow
def publishes(seconds: float, batch: int, pause: float) -> float:
    return write_batches(seconds, batch, pause)
