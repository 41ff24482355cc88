"""
Workflows on queues with limits, and the marks by which a test sees who ran when.

DURABLE_TEST_LIMIT  what this release of the code declares for the queue "changing"
"""

from __future__ import annotations

import os
import time
from functools import partial

from durable_django import Queue, Rate, gather, receive, step, workflow
from durable_django.base.clock import Now
from tests.sample.models import Mark, Span

single = Queue("single", concurrency=1)
three = Queue("three", concurrency=3)
ten = Queue("ten", concurrency=10)
each_two = Queue("each_two", worker_concurrency=2)
rated = Queue("rated", rate=Rate(3, per=60))
tenants = Queue("tenants", partitioned=True)
one_each = Queue("one_each", partition_concurrency=1)
changing = Queue("changing", concurrency=int(os.environ.get("DURABLE_TEST_LIMIT", "3")))
rated_tenants = Queue("rated_tenants", concurrency=10, partition_rate=Rate(2, per=60))


@step
def mark_begin(label: str) -> None:
    Mark.objects.create(label=label)


@workflow(queue="single")
def begins(label: str) -> str:
    """Leave a mark."""
    mark_begin(label)
    return label


@workflow(queue="single")
def waits(label: str) -> str:
    """Leave a mark, then wait for a message."""
    mark_begin(label)
    return str(receive(timeout=None))


@workflow(queue="single")
def fails_at_once(label: str) -> None:
    message = f"{label} fails"
    raise ValueError(message)


@workflow(queue="single")
def parent_of(count: int) -> list[str]:
    """Start children on the same queue, and wait for them."""
    handles = begins.start_many([(f"child-{number}",) for number in range(count)])
    return [handle.result() for handle in handles]


@step
def occupy(queue: str, seconds: float) -> None:
    """Write down from when to when it was in."""
    span = Span.objects.create(queue=queue)
    time.sleep(seconds)
    Span.objects.filter(pk=span.pk).update(ended_at=Now())


@workflow
def occupies(queue: str, seconds: float) -> None:
    occupy(queue, seconds)


@workflow
def named(label: object) -> object:
    """Return the label; "fail" fails."""
    if label == "fail":
        message = f"{label} fails"
        raise ValueError(message)
    return label


@workflow
def gathers_named(labels: list[str]) -> list[object]:
    """Gather a child for each label; "object" is one that cannot be stored."""
    return gather(*(partial(named, object() if label == "object" else label) for label in labels))
