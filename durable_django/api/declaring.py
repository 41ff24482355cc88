"""Which functions can be workflows and steps; everything else is refused at import, with the way out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from durable_django.base.retries import Retry
from durable_django.exceptions import RegistrationError

#: As long as the columns that hold them.
LONGEST_NAME = 255


def is_name(value: Any) -> bool:
    """Whether it can name a workflow, step or queue: 1 to 255 printable characters, not blank."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= LONGEST_NAME


def require_retry(value: Any, kind: str) -> None:
    """Raise RegistrationError unless it is a Retry or None."""
    if value is not None and not isinstance(value, Retry):
        raise RegistrationError(message=f"@{kind}(retry=) must be a Retry, got {value!r}. Write Retry(max_attempts=3).")


def require_workflow_function(func: Any) -> None:
    """Raise RegistrationError, with the reason and the way out, unless func can be a workflow."""
    _require_function(func, "workflow")
    qualname = func.__qualname__
    if "<lambda>" in qualname:
        _refuse("workflow", func, "a lambda has no name to find it by after a restart", "Define it with def.")
    if "<locals>" in qualname:
        reason = "a function defined inside another one cannot be found after a restart"
        _refuse("workflow", func, reason, "Move it to the top level of its module.")
    if "." in qualname and next(iter(inspect.signature(func).parameters), "") == "self":
        reason = "a method needs its instance, which is not stored"
        _refuse(
            "workflow", func, reason, "Make it a function that takes the primary key, and load the object in a step."
        )


def require_step_function(func: Any) -> None:
    """Raise RegistrationError, with the reason and the way out, unless func can be a step."""
    _require_function(func, "step")


def _require_function(func: Any, kind: str) -> None:
    if isinstance(func, type):
        _refuse(kind, func, "it is a class", "Decorate a function.")
    if isinstance(func, functools.partial):
        _refuse(kind, func, "a partial has no name", "Define a function that calls it.")
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        _refuse(kind, func, "a generator has no single result to record", "Collect the values and return a list.")
    if not inspect.isfunction(func):
        _refuse(kind, func, "it is not a plain function", "Decorate a function defined with def.")


def _refuse(kind: str, func: Any, reason: str, advice: str) -> None:
    raise RegistrationError(message=f"@{kind} cannot be used on {_name(func)}: {reason}. {advice}")


def _name(func: Any) -> str:
    module, qualname = getattr(func, "__module__", ""), getattr(func, "__qualname__", "")
    return f"{module}.{qualname}" if qualname else repr(func)


def unwrap(func: Any) -> tuple[Callable[..., Any], type | None]:
    """Return the plain function, and staticmethod or classmethod if it was wrapped in one."""
    if isinstance(func, staticmethod | classmethod):
        return func.__func__, type(func)
    return func, None
