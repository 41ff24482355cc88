"""Workflows that wait and talk: sleep, messages, events, streams."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import durable_django as durable
from durable_django import Retry, step, workflow
from tests.sample.here import Here
from tests.sample.models import Mark


@step
def mark(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@step
def refuse() -> None:
    Mark.objects.create(label="refused")
    raise LookupError("refused")


# -- sleep ------------------------------------------------------------------------------------------------------------


@workflow
def sleeps(duration: float | timedelta) -> str:
    mark("before")
    durable.sleep(duration)
    return mark("after")


@workflow
def sleeps_until(moment: datetime) -> str:
    durable.sleep_until(moment)
    return mark("after")


@workflow
def sleeps_in_a_row(*durations: float) -> None:
    for number, duration in enumerate(durations):
        durable.sleep(duration)
        mark(f"woke-{number}")


@workflow
def sleeps_behind_an_error(duration: float) -> None:
    """Its code catches an error and goes on from there."""
    try:
        refuse()
    except LookupError:
        durable.sleep(duration)
    mark("after")


@workflow(retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def sleeps_and_fails(duration: float) -> None:
    """It is put back as a whole after it has slept."""
    durable.sleep(duration)
    refuse()


@workflow
async def sleeps_async(duration: float) -> str:
    await durable.asleep(duration)
    return await mark.acall("after")


@workflow
async def sleeps_until_async(moment: datetime) -> str:
    await durable.asleep_until(moment)
    return await mark.acall("after")


# -- messages ---------------------------------------------------------------------------------------------------------


@workflow
def receives(topic: str = "", timeout: float | timedelta | None = 60) -> Any:
    return durable.receive(topic, timeout)


@workflow
def receives_many(count: int, topic: str = "", timeout: float | None = None) -> list[Any]:
    return [durable.receive(topic, timeout) for _ in range(count)]


@workflow
def receives_in_branches(*topics: str, timeout: float | None = None) -> list[Any]:
    return durable.gather(*(partial(durable.receive, topic, timeout, None) for topic in topics))


@workflow
def receives_at_last(topic: str = "") -> list[Any]:
    """What the first receive misses the second one gets."""
    first = durable.receive(topic, 60, default=None)
    return [first, durable.receive(topic, None)] if first is None else [first]


@workflow
async def receives_async(topic: str = "") -> Any:
    return await durable.areceive(topic)


@workflow
def sends(to: str, *values: Any, topic: str = "", key: str | None = None) -> None:
    for value in values:
        durable.send(to, value, topic, key)


@workflow
async def sends_async(to: str, *values: Any) -> None:
    for value in values:
        await durable.asend(to, value)


# -- events -----------------------------------------------------------------------------------------------------------


@workflow
def publishes(key: str, *values: Any) -> None:
    for value in values:
        durable.set_event(key, value)
        mark(f"{key} is {value}")


@workflow
def publishes_when_told(key: str, value: Any) -> None:
    durable.receive(timeout=None)
    durable.set_event(key, value)
    durable.receive(timeout=None)


@workflow
def awaits_event(workflow_id: str, key: str, timeout: float | None = 60) -> Any:
    return durable.get_event(workflow_id, key, timeout)


@workflow
def awaits_result(workflow_id: str) -> Any:
    return durable.get_handle(workflow_id).result()


@workflow
def awaits_event_twice(workflow_id: str, key: str) -> list[Any]:
    """It reads, waits for a message, and reads again."""
    first = durable.get_event(workflow_id, key)
    durable.receive(timeout=None)
    return [first, durable.get_event(workflow_id, key)]


@workflow
def awaits_several(workflow_id: str, key: str) -> list[Any]:
    """One branch waits for an event, the other one for a message."""
    return durable.gather(
        partial(durable.get_event, workflow_id, key, None), partial(durable.receive, "never", 3600, None)
    )


@workflow
async def publishes_async(key: str, value: Any) -> Any:
    await durable.aset_event(key, value)
    return await durable.aget_event(durable.current_workflow().id, key)


# -- streams ----------------------------------------------------------------------------------------------------------


@workflow
def streams(key: str, *values: Any) -> None:
    for value in values:
        durable.write_stream(key, value)


@workflow
def streams_when_told(key: str) -> None:
    """Each message is written, until one says "end"."""
    while (value := durable.receive(timeout=None)) != "end":
        durable.write_stream(key, value)


@workflow
async def streams_async(key: str, *values: Any) -> None:
    await durable.awrite_stream(key, *values)
    await durable.aclose_stream(key)


@workflow
async def acts_async() -> Any:
    """The code of an async workflow acts, without awaiting anything."""
    return Here.act()


def calls(*acts: Callable[[], Any]) -> list[Any]:
    """Do each, and return what came of it, errors included: for `acting()`, in the workflow or in a step."""
    found = []
    for act in acts:
        try:
            found.append(act())
        except Exception as error:
            found.append(error)
    return found
