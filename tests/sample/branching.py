"""Workflows that have children, branch, and ask for values that a replay must find again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import durable_django as durable
from durable_django import Retry, WorkflowHandle, current_step, current_workflow, step, wait_all, wait_first, workflow
from durable_django.models import Workflow
from tests.sample.here import Here
from tests.sample.models import Mark

NAPPING = Retry(max_attempts=3, base_seconds=0.001, jitter=0)
SUSPENDING = Retry(max_attempts=3, base_seconds=10, jitter=0)


@step
def mark(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@step(atomic=True)
def mark_atomically(label: str) -> str:
    Mark.objects.create(label=label)
    return label


@step
def fail(label: str) -> None:
    Mark.objects.create(label=label)
    raise LookupError(label)


def fail_before(attempt: int, label: str) -> str:
    Mark.objects.create(label=f"{label}-{current_step().attempt}")
    if current_step().attempt < attempt:
        raise ConnectionError(label)
    return label


@step(retry=NAPPING)
def napping(label: str) -> str:
    return fail_before(2, label)


@step(retry=SUSPENDING)
def suspending(label: str) -> str:
    return fail_before(2, label)


def children_of(handle: WorkflowHandle[Any]) -> list[str]:
    """Return the ids of the children, in the order in which they were started."""
    return list(Workflow.objects.filter(parent=handle.id).order_by("line").values_list("pk", flat=True))


# -- children ---------------------------------------------------------------------------------------------------------


@workflow
def child(number: int) -> int:
    mark(f"child-{number}")
    return number * 2


@workflow
def failing_child(error: Exception) -> None:
    """Its error is the argument."""
    raise error


@workflow
def waiting_child(topic: str = "") -> Any:
    return durable.receive(topic, None)


@workflow
def patient_child(seconds: float, value: Any = None) -> Any:
    durable.sleep(seconds)
    return value


@workflow(timeout=3600)
def hurried_child() -> Any:
    """It has a timeout of its own."""
    return durable.receive(timeout=None)


@workflow
def deadline_of() -> datetime | None:
    return current_workflow().deadline


@workflow
def calls_a_child(number: int) -> int:
    return child(number) + 1


@workflow
def calls_what_fails(error: Exception) -> str:
    """Its code catches the error of the child, by its class."""
    try:
        failing_child(error)
    except type(error) as caught:
        return f"{type(caught).__name__}: {caught}"
    return "nothing was raised"


@workflow
def starts_and_waits(*numbers: int) -> list[int]:
    handles = [child.start(number) for number in numbers]
    mark("started")
    return [handle.result() for handle in handles]


@workflow
def starts_many(count: int) -> list[int]:
    return [handle.result() for handle in child.start_many([(number,) for number in range(count)])]


@workflow
def starts_and_goes(count: int) -> list[str]:
    """It waits for no child."""
    return [waiting_child.start().id for _number in range(count)]


@workflow
def starts_and_lingers(count: int) -> None:
    """Its children wait for a message, and so does it."""
    for _number in range(count):
        waiting_child.start()
    durable.receive(timeout=None)


@workflow
def nests(depth: int) -> int:
    """Each level calls the next one."""
    return nests(depth - 1) + 1 if depth else 0


@workflow
def lingers_below(depth: int) -> None:
    """The deepest one waits for a message."""
    if depth:
        lingers_below(depth - 1)
    else:
        durable.receive(timeout=None)


@step
def start_in_plain_step(numbers: list[int]) -> list[str]:
    found = [child.start(number).id for number in numbers]
    Here.act()
    return found


@step(atomic=True)
def start_in_atomic_step(numbers: list[int]) -> list[str]:
    found = [child.start(number).id for number in numbers]
    Here.act()
    return found


@workflow
def starts_in_step(*numbers: int, is_atomic: bool = False) -> list[str]:
    return (start_in_atomic_step if is_atomic else start_in_plain_step)(list(numbers))


@workflow
def awaits_first(ids: list[str], timeout: float | None = None) -> str:
    return wait_first([WorkflowHandle(each) for each in ids], timeout).id


@workflow
def awaits_all(ids: list[str], timeout: float | None = None) -> str:
    wait_all([WorkflowHandle(each) for each in ids], timeout)
    return mark("all have ended")


@workflow
def awaits_own_children(*topics: str, is_for_all: bool = False) -> Any:
    """It waits for the first, or for all, of the children that it starts."""
    handles = [waiting_child.start(topic) for topic in topics]
    return wait_all(handles) if is_for_all else wait_first(handles).result()


@workflow
def awaits_end_of(workflow_id: str, timeout: float | None = None) -> Any:
    return WorkflowHandle(workflow_id).result(timeout)


@workflow(timeout=3600)
def has_children_with_deadlines() -> None:
    waiting_child.start()
    hurried_child.start()
    waiting_child.start_many([("many",)])
    durable.receive(timeout=None)


# -- branches ---------------------------------------------------------------------------------------------------------


def two_marks(name: str, seconds: float = 60) -> list[str]:
    """Two steps with time between them."""
    first = mark(f"{name}-1")
    durable.sleep(seconds)
    return [first, mark(f"{name}-2")]


@workflow
def gathers(**seconds: float) -> list[Any]:
    """One branch for each name: two steps with so much time between them."""
    return durable.gather(*(partial(two_marks, name, pause) for name, pause in seconds.items()))


@workflow
def gathers_marks(*names: str) -> list[str]:
    return durable.gather(*(partial(mark, name) for name in names))


@workflow
def gathers_children(*numbers: int) -> list[int]:
    return durable.gather(*(partial(child, number) for number in numbers))


@workflow
def gathers_nested() -> list[Any]:
    """Two branches, each of which gathers two; then a step of the main line."""

    def inner(name: str) -> list[Any]:
        mark(f"{name}-before")
        found = durable.gather(partial(two_marks, f"{name}1"), partial(two_marks, f"{name}2", 30))
        mark(f"{name}-after")
        return found

    found = durable.gather(partial(inner, "a"), partial(inner, "b"))
    mark("last")
    return found


@workflow
def gathers_with_errors(*, return_exceptions: bool) -> list[Any]:
    calls = [partial(mark, "a"), partial(fail, "b"), partial(two_marks, "c"), partial(fail, "d")]
    return durable.gather(*calls, return_exceptions=return_exceptions)


@workflow
def gathers_what_is_caught() -> list[str]:
    """The code catches the error of a branch and goes on."""
    try:
        durable.gather(partial(fail, "a"), partial(mark, "b"))
    except LookupError:
        mark("caught")
    durable.receive(timeout=None)
    fail("last")


@workflow
def gathers_receivers(*topics: str) -> list[Any]:
    return durable.gather(*(partial(durable.receive, topic, None) for topic in topics))


@workflow
def gathers_retries(*, is_long: bool) -> list[str]:
    return durable.gather(partial(suspending if is_long else napping, "a"), partial(mark, "b"))


@workflow
def gathers_differently() -> Any:
    """What its branches are is up to the test."""
    return durable.gather(*Here.act())


# -- recorded values --------------------------------------------------------------------------------------------------


@workflow
def asks_for_values() -> dict[str, Any]:
    values = {"now": durable.now(), "uuid4": durable.uuid4(), "random": durable.random()}
    mark("asked")
    return values


def value_kinds() -> dict[str, type]:
    return {"now": datetime, "uuid4": UUID, "random": float}


def branches(*calls: Callable[[], Any]) -> Callable[[], list[Any]]:
    """Return what makes the branches of `gathers_differently`."""
    return lambda: list(calls)


@workflow
def gathers_first_and_child(count: int) -> list[Any]:
    """One branch waits for the first of several children to end, the other one for one of its own."""

    def await_first() -> bool:
        return wait_first([child.start(number) for number in range(count)]).id != ""

    return durable.gather(await_first, partial(child, count))
