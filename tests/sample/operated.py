"""Workflows that operators operate, that operate others themselves, and that are followed."""

from __future__ import annotations

import durable_django as durable
from durable_django import step, workflow
from durable_django.models import Workflow
from tests.sample.crashing import atomic_mark, plain_mark


@workflow
def follows(_workflow_id: str, label: str) -> str:
    """Clean up behind another one."""
    return atomic_mark(f"behind-{label}")


@workflow(on_failure=follows, on_cancel=follows)
def is_followed(label: str) -> None:
    plain_mark(label)
    raise LookupError(label)


@workflow
def forks_and_cancels(ended: str, live: str) -> list[object]:
    """Fork and cancel others, twice: one by one, and as many."""
    rows = Workflow.objects.all()
    fork = rows.get(pk=ended).fork(from_step=2)
    count = rows.filter(pk=ended).fork(from_step=3)
    rows.filter(pk=live).cancel("by a workflow")
    was_live = rows.get(pk=live).cancel()
    return [fork.pk, count, was_live]


@step
def tell_in_step(value: int) -> None:
    durable.set_event("in step", value)
    durable.write_stream("other", value)


@workflow
def tells(count: int) -> int:
    """Events and entries of streams, of the workflow and of its steps."""
    for value in range(count):
        durable.set_event("latest", value)
        durable.write_stream("all", value)
        tell_in_step(value)
    return count
