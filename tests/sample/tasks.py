"""
The tasks that the suite enqueues, written as any app that only knows django.tasks writes them.

Imported by those who have Django 6 or the package django-tasks.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from django.contrib.auth import get_user_model

from durable_django import current_step
from durable_django.tasks import task_options
from tests.sample import flags
from tests.sample.crashing import linger
from tests.sample.models import Mark

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


class Doing:
    """What the next tasks find: how many of their calls fail, and with what."""

    failures = 0
    error: BaseException = ConnectionError("the service does not answer")
    seen: list[Any] = []

    @classmethod
    def begin(cls) -> None:
        """Fail as often as asked for."""
        step = current_step()
        cls.seen.append((step.attempt, step.idempotency_key) if step else None)
        if cls.failures:
            cls.failures -= 1
            raise cls.error


@task
def add(left: int, right: int = 0) -> int:
    return left + right


@task
def echo(*args: Any, **kwargs: Any) -> list[Any]:
    return [list(args), kwargs]


@task
def repeat(text: str, times: int) -> str:
    return text * times


@task(queue_name="letters", priority=7)
def write_letter(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@task
def unreliable(label: str) -> str:
    Mark.objects.create(label=label)
    Doing.begin()
    return label


@task
@task_options(max_attempts=3, backoff=100, retry_on=(ConnectionError,))
def retried(label: str) -> str:
    Mark.objects.create(label=label)
    Doing.begin()
    return label


@task
@task_options(max_attempts=3, backoff=lambda _error, result: 50 * result.attempts if result.attempts < 2 else None)
def retried_as_it_says(label: str) -> str:
    Doing.begin()
    return label


@task
@task_options(atomic=True, max_attempts=2, backoff=0)
def written_once(label: str) -> str:
    Mark.objects.create(label=label)
    Doing.begin()
    return label


@task
@task_options(timeout=0.05)
def too_slow() -> None:
    time.sleep(0.1)


@task
def not_json() -> object:
    return object()


@task(takes_context=True)
def with_context(context: Any, label: str) -> list[Any]:
    result = context.task_result
    return [label, context.attempt, result.id, result.status, result.enqueued_at is not None, result.worker_ids]


@task(takes_context=True)
async def with_context_async(context: Any, label: str) -> list[Any]:
    result = context.task_result
    return [label, context.attempt, result.id, result.status, result.enqueued_at is not None]


@task
async def add_async(left: int, right: int = 0) -> int:
    await asyncio.sleep(0)
    return left + right


@task
async def count_users() -> int:
    return await get_user_model().objects.acount()


@task
async def unreliable_async(label: str) -> str:
    Doing.begin()
    return label


@task
def enqueues(label: str) -> str:
    child_id = write_letter.enqueue(label).id
    Doing.begin()
    return str(child_id)


@task
async def enqueues_async(label: str) -> str:
    return str((await write_letter.aenqueue(label)).id)


@task
def leaves() -> None:
    raise SystemExit("enough")


class Desk:
    """A class with a task."""

    @staticmethod
    def stamp(label: str) -> str:
        return f"{label}, stamped"


Desk.stamp = task(Desk.stamp)


def plain(label: str) -> str:
    """Not a task."""
    return label


@task
def lingering(label: str) -> str:
    """In the first call wait to be hurt."""
    Mark.objects.create(label=label)
    step = current_step()
    Mark.objects.create(label=f"{label} has key {step.idempotency_key if step else ''}")
    linger(f"in-{label}")
    return label


@task
async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@task
async def nap_with_flag(label: str) -> str:
    """Say that it runs, then be busy for a second."""
    flags.raise_flag(f"in-{label}")
    await asyncio.sleep(1)
    return label


@task
@task_options(timeout=0.5, max_attempts=2, backoff=0)
def slow_at_first(label: str) -> str:
    """Take too long in the first call, in a way that no exception ends."""
    linger(f"in-{label}")
    return label
