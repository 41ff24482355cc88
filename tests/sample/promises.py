"""Workflows by which the promises of the package are tested: small, deterministic, each for one situation."""

from __future__ import annotations

from typing import Any

from durable_django import Queue, current_step, current_workflow, step, workflow
from tests.sample.here import Here
from tests.sample.models import Mark
from tests.sample.workflows import mark, mark_atomically

second_queue = Queue("second")


@step
def act() -> Any:
    return Here.act()


@step(atomic=True)
def act_atomically() -> Any:
    return Here.act()


@workflow
def acts() -> Any:
    """One plain step between two marks."""
    mark_atomically("before")
    value = act()
    mark("after")
    return value


@workflow
def acts_atomically() -> Any:
    """One atomic step between two marks."""
    mark_atomically("before")
    value = act_atomically()
    mark("after")
    return value


@workflow
def acts_itself() -> Any:
    """The workflow's own code acts between two steps."""
    mark_atomically("before")
    value = Here.act()
    mark("after")
    return value


@workflow
def takes_order(order: int, note: str = "", *, urgent: bool = False) -> str:
    """Arguments of each kind."""
    return f"{order} {note} {urgent}"


@step
def tell(value: Any) -> Any:
    return value


@workflow
def echoes(value: Any) -> Any:
    """Argument, step result and workflow result are one value."""
    return tell(value)


@step
def fail(error: Exception) -> None:
    raise error


@workflow
def fails(error: Exception) -> None:
    """The error is an argument, and what a step raises."""
    fail(error)


@step
def describe_step() -> dict[str, Any]:
    info = current_step()
    return {"name": info.name, "position": info.position, "attempt": info.attempt, "key": info.idempotency_key}


@workflow
def describes_itself() -> dict[str, Any]:
    """What a workflow knows of itself."""
    info = current_workflow()
    return {
        "id": info.id,
        "name": info.name,
        "attempt": info.attempt,
        "attributes": info.attributes,
        "user": info.user.pk if info.user else None,
        "has_deadline": info.deadline is not None,
    }


@workflow
def three_marks(label: str) -> list[str]:
    """Plain, atomic, plain."""
    return [mark(f"{label}-1"), mark_atomically(f"{label}-2"), mark(f"{label}-3")]


@workflow(queue="second", priority=5, timeout=3600, max_recoveries=2)
def declared_otherwise(label: str) -> str:
    """Every option of the decorator that has a column."""
    Mark.objects.create(label=label)
    return label
