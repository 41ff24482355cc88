"""@step and run_step: functions whose outcome is recorded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar, overload

from asgiref.sync import markcoroutinefunction

from durable_django.api.declaring import LONGEST_NAME, is_name, require_retry, require_step_function, unwrap
from durable_django.api.durations import seconds_of
from durable_django.base.retries import Retry
from durable_django.engine import stepping
from durable_django.engine.calls import StepSpec
from durable_django.exceptions import RegistrationError

P = ParamSpec("P")
R = TypeVar("R")


class StepDefinition(Generic[P, R]):
    """
    A step. In a workflow, calling it runs it once and answers from its checkpoint ever after.

    Outside a workflow, and inside another step, it is an ordinary call (an atomic one in transaction.atomic()).
    """

    def __init__(self, func: Callable[P, R], spec: StepSpec) -> None:
        self.spec = spec
        functools.update_wrapper(self, func)
        if spec.is_async:
            # So that async_to_sync() and Django know what to await.
            markcoroutinefunction(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Answer from the checkpoint, or call the function and record its outcome."""
        return stepping.perform(self.spec, args, kwargs)  # type: ignore[no-any-return]

    @markcoroutinefunction
    def acall(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Any]:
        """Call it from async code, whether it is async or not; one that is not runs in a thread."""
        return stepping.aperform(self.spec, args, kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind as a function would, so that a step may be a method: its arguments are not stored."""
        return self if instance is None else functools.partial(self.__call__, instance)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"<step {self.spec.name}>"

    @property
    def name(self) -> str:
        """The name under which the step is recorded."""
        return self.spec.name


@overload
def step(func: Callable[P, R], /) -> StepDefinition[P, R]: ...
@overload
def step(
    *,
    name: str | None = None,
    atomic: bool = False,
    retry: Retry | None = None,
    timeout: float | timedelta | None = None,
) -> Callable[[Callable[P, R]], StepDefinition[P, R]]: ...
def step(
    func: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    atomic: bool = False,
    retry: Retry | None = None,
    timeout: float | timedelta | None = None,
) -> StepDefinition[P, R] | Callable[[Callable[P, R]], StepDefinition[P, R]]:
    """
    Make a function a step of workflows: its outcome is recorded, value or exception, and never computed again.

    name     under which it is recorded; the function's qualified name by default
    atomic   False: runs at least once, and never again once recorded. True: its ORM writes and its checkpoint commit
             in one transaction, on the database of the workflow tables: exactly once
    retry    call it again when it fails; count and time are kept in the database
    timeout  seconds, or a timedelta, that one call may take; then StepTimeout, which is retried like other errors.
             A thread cannot be stopped: the late one's outcome is refused

    Raises RegistrationError for generators, classes and other things that are not plain functions.
    """

    def declare(function: Callable[P, R]) -> StepDefinition[P, R]:
        plain, _wrapper = unwrap(function)
        require_step_function(plain)
        return StepDefinition(plain, _spec(plain, plain.__qualname__ if name is None else name, atomic, retry, timeout))

    return declare if func is None else declare(func)


def run_step(
    func: Callable[..., R],
    *args: Any,
    name: str | None = None,
    atomic: bool = False,
    retry: Retry | None = None,
    timeout: float | timedelta | None = None,
    **kwargs: Any,
) -> R:
    """Call anything as a step, in line; options as for @step: `run_step(requests.get, url, name="fetch")`."""
    return stepping.perform(_inline(func, name, atomic, retry, timeout), args, kwargs)  # type: ignore[no-any-return]


@markcoroutinefunction
def arun_step(
    func: Callable[..., Any],
    *args: Any,
    name: str | None = None,
    atomic: bool = False,
    retry: Retry | None = None,
    timeout: float | timedelta | None = None,
    **kwargs: Any,
) -> Coroutine[Any, Any, Any]:
    """Call anything as a step from async code, whether it is async or not: see run_step(). Its place is taken now."""
    return stepping.aperform(_inline(func, name, atomic, retry, timeout), args, kwargs)


def _inline(
    func: Callable[..., Any],
    name: str | None,
    atomic: bool,  # noqa: FBT001 - private, named as in the decorator
    retry: Retry | None,
    timeout: float | timedelta | None,
) -> StepSpec:
    default = getattr(func, "__qualname__", type(func).__qualname__)
    spec = _spec(func, default if name is None else name, atomic, retry, timeout)
    spec.is_inline = True
    return spec


def _spec(
    func: Callable[..., Any],
    name: str,
    atomic: bool,  # noqa: FBT001 - private, named as in the decorator
    retry: Retry | None,
    timeout: float | timedelta | None,
) -> StepSpec:
    if not is_name(name):
        raise RegistrationError(
            message=f"A step's name must have 1 to {LONGEST_NAME} printable characters, got {name!r}."
        )
    require_retry(retry, "step")
    limit = None if timeout is None else seconds_of(timeout, "timeout", at_least=0.001)
    return StepSpec(name=name, func=func, is_atomic=atomic, retry=retry, timeout_seconds=limit)
