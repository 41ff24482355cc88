"""Async workflows and steps."""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection

import durable_django as durable
from durable_django import current_workflow, step, workflow
from tests.sample import flags
from tests.sample.branching import NAPPING, SUSPENDING, child, fail_before, mark, mark_atomically
from tests.sample.here import Here
from tests.sample.models import Mark


@step
async def amark(label: str) -> str:
    await Mark.objects.acreate(label=label)
    return label


@step(atomic=True)
async def amark_atomically(label: str) -> str:
    await Mark.objects.acreate(label=label)
    await Here.act_in_async()
    return label


@step
async def afail(label: str) -> None:
    await Mark.objects.acreate(label=label)
    raise LookupError(label)


@step
async def anap(label: str, seconds: float) -> str:
    """Await the event loop, as a request to some other machine does."""
    await asyncio.sleep(seconds)
    return label


@step(retry=NAPPING)
async def anapping(label: str) -> str:
    return await sync_to_async(fail_before)(2, label)


@step(retry=SUSPENDING)
async def asuspending(label: str) -> str:
    return await sync_to_async(fail_before)(2, label)


@step(timeout=0.05)
async def atoo_long(label: str) -> str:
    try:
        await asyncio.sleep(60)
    finally:
        await Mark.objects.acreate(label=f"{label}-cleaned-up")
    return label


@step
async def aact() -> Any:
    """What the test wants, in an async step."""
    return await Here.act_in_async()


@workflow
async def acts_in_async() -> Any:
    """What the test wants, in the code of an async workflow between two steps."""
    await amark("before")
    value = await Here.act_in_async()
    await amark("after")
    return value


@workflow
async def acts_in_async_step() -> Any:
    await amark("before")
    value = await aact()
    await amark("after")
    return value


@workflow
async def mixes_steps(name: str) -> list[str]:
    """A step of each kind."""
    return [
        await amark(f"{name}-1"),
        await amark_atomically(f"{name}-2"),
        await mark.acall(f"{name}-3"),
        await mark_atomically.acall(f"{name}-4"),
    ]


@workflow
def mixes_steps_in_sync(name: str) -> list[str]:
    """Async steps in a workflow that is not async."""
    return [mark(f"{name}-1"), amark(f"{name}-2"), amark_atomically(f"{name}-3")]


@workflow
async def nap_in_step(seconds: float) -> str:
    return await anap("slept", seconds)


@workflow
async def async_child(number: int) -> int:
    await amark(f"child-{number}")
    return number * 2


@workflow
async def async_parent(number: int) -> list[int]:
    """Children of both kinds, called and started."""
    handle = await child.astart(number)
    several = await async_child.astart_many([(number + 1,), (number + 2,)])
    await durable.await_all(several)
    first = await durable.await_first(several)
    return [
        await child.acall(number + 3),
        await async_child(number + 4),
        await handle.aresult(),
        *[await each.aresult() for each in several],
        await first.aresult(),
    ]


async def two_amarks(name: str, seconds: float = 60) -> list[str]:
    first = await amark(f"{name}-1")
    await durable.asleep(seconds)
    return [first, await amark(f"{name}-2")]


@workflow
async def agathers(**seconds: float) -> list[Any]:
    return await durable.agather(*(partial(two_amarks, name, pause) for name, pause in seconds.items()))


@workflow
async def agathers_differently() -> Any:
    """What its branches are is up to the test."""
    return await durable.agather(*Here.act())


@workflow
async def agathers_children(count: int) -> list[int]:
    return await durable.agather(*(partial(child, number) for number in range(count)))


@workflow
async def agathers_receivers(*topics: str) -> list[Any]:
    return await durable.agather(*(partial(durable.areceive, topic, None) for topic in topics))


@workflow
async def calls_together(*names: str) -> list[str]:
    """Places are taken at the call: neither gather() of asyncio nor a TaskGroup needs branches."""
    both = await asyncio.gather(*(amark(name) for name in names))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(amark(f"{name}-again")) for name in names]
    return [*both, *(task.result() for task in tasks)]


@workflow
async def asks_for_values_async() -> dict[str, Any]:
    values = {"now": await durable.anow(), "uuid4": await durable.auuid4(), "random": await durable.arandom()}
    await amark("asked")
    return values


# -- held by a test ---------------------------------------------------------------------------------------------------


@step
async def aheld(label: str) -> str:
    """Say that it runs, then wait for the test, in each call anew: go-<label>-1, go-<label>-2."""
    await Mark.objects.acreate(label=label)
    await _until_flag(f"go-{label}-{flags.raise_flag(f'in-{label}')}")
    return label


@step(atomic=True)
async def aheld_atomically(label: str) -> str:
    await Mark.objects.acreate(label=label)
    await _until_flag(f"go-{label}-{flags.raise_flag(f'in-{label}')}")
    return label


async def _until_flag(name: str) -> None:
    while not (flags.folder() / name).exists():  # noqa: ASYNC110 - another process raises it
        await asyncio.sleep(0.01)


@step
def held_in_thread(label: str) -> str:
    Mark.objects.create(label=label)
    flags.wait_for(f"go-{label}-{flags.raise_flag(f'in-{label}')}")
    return label


@workflow
async def held_async(key: str) -> list[str]:
    return [await amark(f"{key}-before"), await aheld(key), await amark(f"{key}-after")]


@workflow
async def gathers_held(key: str, seconds: float) -> list[Any]:
    """A branch that sleeps, one that is held in its second step, and one that ends at once."""
    return await durable.agather(
        partial(two_amarks, "sleeper", seconds), partial(held_async.registered.func, key), partial(amark, "other")
    )


@workflow
async def held_async_atomically(key: str) -> list[str]:
    return [await amark(f"{key}-before"), await aheld_atomically(key), await amark(f"{key}-after")]


@workflow
async def held_async_in_thread(key: str) -> list[str]:
    return [await amark(f"{key}-before"), await held_in_thread.acall(key), await amark(f"{key}-after")]


@step
async def query_slowly(seconds: float) -> str:
    """Wait on the database."""
    await sync_to_async(_query_slowly)(seconds)
    return "queried"


def _query_slowly(seconds: float) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_sleep(%s)", [seconds])
        else:
            connection.connection.create_function("nap", 1, _nap)
            cursor.execute("SELECT nap(%s)", [seconds])


def _nap(seconds: float) -> int:
    time.sleep(seconds)
    return 1


@workflow
async def query_in_step(seconds: float) -> str:
    return await query_slowly(seconds)


@workflow
async def writes_a_lot(count: int) -> int:
    for number in range(count):
        await amark(f"{current_workflow().id}-{number}")
    return count


#: A variable of the project's own.
VARIABLE: ContextVar[str] = ContextVar("variable", default="unset")


@step
def mark_slowly(label: str) -> str:
    """In a thread, which nobody can interrupt."""
    time.sleep(0.1)
    Mark.objects.create(label=label)
    return label


@step
def act_in_thread() -> Any:
    return Here.act()


@workflow
async def acts_in_thread() -> Any:
    """What the test wants, in a step that is not async, between two that are."""
    await amark("before")
    value = await act_in_thread.acall()
    await amark("after")
    return value


@step(timeout=0.6)
def sleep_in_thread(seconds: float) -> str:
    time.sleep(seconds)
    return "in time"


@workflow
async def in_thread_in_time(seconds: float) -> str:
    return await sleep_in_thread.acall(seconds)
