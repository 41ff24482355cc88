"""Async twins of what blocks: in an async workflow the place is taken at the call, and a thread asks the database."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from durable_django.api.patience import Patience, apatiently
from durable_django.engine import context

T = TypeVar("T")


def twin(operation: str, act: Callable[[], T], *, places: int = 1) -> Coroutine[Any, Any, T]:
    """
    Return what does in async code what `act` does in a thread.

    operation  its name for people
    places     how many durable operations it makes
    """
    return _in_run(operation, act, places) or sync_to_async(act)()


def patient_twin(operation: str, act: Callable[[], T], waiting: Callable[[], Patience[T]]) -> Coroutine[Any, Any, T]:
    """
    Return the twin of something that may wait for long.

    waiting  makes the wait that does the same outside of workflows
    """
    return apatiently(waiting()) if context.current_run() is None else twin(operation, act)


def _in_run(operation: str, act: Callable[[], T], places: int) -> Coroutine[Any, Any, T] | None:
    run = context.current_run()
    if run is None or run.board is None or context.current_step() is not None:
        return None
    if (refused := context.refused()) is not None:
        return refused
    run.require_going_on(operation)
    return run.delegated(act, places=places)


async def aside(act: Callable[[], T]) -> T:
    """
    Do something that may take long beside Django's one thread for synchronous code, which others need meanwhile.

    Nobody else would close the connections of that thread. Under a TestCase only the one thread sees the test's rows.
    """
    is_in_test = await sync_to_async(_is_in_testcase)()

    def run() -> T:
        try:
            return act()
        finally:
            if not is_in_test:
                connections.close_all()

    return await sync_to_async(run, thread_sensitive=is_in_test)()


def _is_in_testcase() -> bool:
    return is_in_testcase(connections[context.alias_of_workflows()])


def is_in_testcase(connection: Any) -> bool:
    """Whether the open blocks are only those of a TestCase: decided as atomic(durable=True) decides it."""
    return bool(connection.atomic_blocks) and bool(connection.atomic_blocks[-1]._from_testcase)  # noqa: SLF001 - as Django itself asks
