"""Workflows that schedules start."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from durable_django import Queue, receive, step, workflow
from durable_django.models import Schedule
from tests.sample.models import Mark

scheduled_queue = Queue("scheduled")


@step(atomic=True)
def note(label: str) -> None:
    Mark.objects.create(label=label)


@workflow
def takes_both(scheduled_at: datetime, context: Any = None) -> tuple[datetime, Any]:
    """What a schedule can give."""
    return scheduled_at, context


@workflow
def takes_nothing() -> str:
    """A workflow that does not care why it runs."""
    return "done"


@workflow
def ticks(scheduled_at: datetime) -> None:
    """One mark for each tick."""
    note(f"{scheduled_at:%H:%M:%S}")


@workflow
def takes_its_time() -> str:
    """A run that lasts until somebody says so."""
    return receive("end", timeout=24 * 3600)


@workflow
def needs_an_order(order: int) -> int:
    """A workflow that no schedule can start."""
    return order


@step
def trigger(name: str) -> str:
    return Schedule.objects.get(name=name).trigger()


@workflow
def triggers(name: str) -> str:
    """A workflow that triggers a schedule, in a step."""
    return trigger(name)


@workflow
def operates(name: str, start: datetime, end: datetime) -> tuple[Any, ...]:
    """A workflow that does what operators do, and then waits to be called again from the top."""
    schedule = Schedule.objects.get(name=name)
    done = (schedule.trigger(), schedule.backfill(start, end), schedule.pause(), schedule.resume(), schedule.pause())
    scheduled_queue.pause()
    receive("go on", timeout=24 * 3600)
    note("goes on")
    return done


@workflow
async def operates_in_a_loop() -> int:
    """An async workflow that blocks its event loop, if it may."""
    return Schedule.objects.pause()


@step
def pause_a_while() -> None:
    time.sleep(1.5)


@workflow
def takes_a_while() -> None:
    """A run that is longer than the second between two ticks."""
    pause_a_while()
