"""Workflows of the boundary sweep: one for each way through the engine. What fails is decided by what is recorded."""

from __future__ import annotations

import time
from functools import partial

import durable_django as durable
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


@workflow
def asleep() -> list[str]:
    durable.sleep(5)
    first = plain("p2")
    durable.sleep(10)
    return [first, atomic("a4")]


@step
def plain_send(to: str) -> None:
    mark("p-send")
    durable.send(to, 1)


@step(atomic=True)
def atomic_send(to: str) -> None:
    durable.send(to, 3)


@workflow
def receiver() -> list[object]:
    """It misses the first time, and is woken for what comes later."""
    found = [durable.receive("nothing", timeout=5, default=None)]
    return [*found, *(durable.receive(timeout=3600) for _ in range(3))]


@workflow
def sender(to: str) -> None:
    """It sends in each of the three ways when the receiver waits."""
    durable.sleep(20)
    plain_send(to)
    durable.send(to, 2)
    atomic_send(to)


def conversing() -> None:
    """Start one that receives, and one that sends to it."""
    to = receiver.start()
    sender.start(to.id)


@step(atomic=True)
def atomic_publish() -> None:
    durable.set_event("state", "second")
    durable.write_stream("log", 2, 3)


@workflow
def watcher(other: str) -> list[object]:
    """It is woken by the event, and reads it again when it has changed."""
    first = durable.get_event(other, "state", timeout=3600)
    durable.sleep(15)
    return [first, durable.get_event(other, "state")]


@workflow
def publisher() -> None:
    durable.sleep(5)
    durable.set_event("state", "first")
    durable.write_stream("log", 1)
    durable.sleep(10)
    atomic_publish()


def publishing() -> None:
    """Start one that publishes, and one that waits for that."""
    other = publisher.using(id="publisher").start()
    watcher.start(other.id)


@workflow
def offspring(label: str) -> str:
    return atomic(label)


@step
def plain_start(label: str) -> str:
    mark("p-start")
    return offspring.start(label).id


@workflow
def tree() -> list[str]:
    """It has children in each of the ways to have them."""
    first = offspring("a1")
    handles = [*offspring.start_many([("a2",)]), durable.WorkflowHandle(plain_start("a3"))]
    return [first, *(handle.result() for handle in handles)]


def growing() -> None:
    tree.using(id="tree").start()


def line(name: str) -> list[str]:
    first = atomic(f"a{name}-1")
    durable.sleep(5)
    return [first, plain(f"p{name}-2")]


@workflow
def branches() -> list[object]:
    """Two lines of steps; behind them a step."""
    return [*durable.gather(partial(line, "1"), partial(line, "2")), atomic("a3")]


def branching() -> None:
    branches.using(id="branches").start()


@workflow
def fans_out() -> list[object]:
    """Children that are started together, beside one that fails and a line of steps."""
    calls = [*(partial(offspring, f"a{number}") for number in range(1, 5)), disappointing, partial(line, "5")]
    return [str(each) for each in durable.gather(*calls, return_exceptions=True)]


@workflow
def disappointing() -> None:
    message = "it fails"
    raise LookupError(message)


def fanning_out() -> None:
    fans_out.using(id="fans").start()


@step
async def aplain(label: str) -> str:
    await Mark.objects.acreate(label=label)
    return label


@step(atomic=True)
async def aatomic(label: str) -> str:
    await Mark.objects.acreate(label=label)
    return label


async def aline(name: str) -> list[str]:
    first = await aatomic(f"a{name}-1")
    await durable.asleep(5)
    return [first, await aplain(f"p{name}-2")]


@workflow
async def branches_in_loop() -> list[object]:
    """The same in an event loop."""
    return [*await durable.agather(partial(aline, "1"), partial(aline, "2")), await atomic.acall("a3")]


def branching_in_loop() -> None:
    branches_in_loop.using(id="branches").start()
