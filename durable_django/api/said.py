"""What @workflow says of a function, checked, and made into what the engine knows of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from durable_django.api.declaring import LONGEST_NAME, is_name, require_retry, require_workflow_function, unwrap
from durable_django.api.durations import retention_of, seconds_of
from durable_django.base.given import priority_of
from durable_django.base.registry import Registered
from durable_django.exceptions import RegistrationError


class Said(NamedTuple):
    """The options of @workflow, as given: see there."""

    name: Any
    queue: Any
    priority: Any
    timeout: Any
    max_recoveries: Any
    retry: Any
    retention: Any
    version: Any
    permission: Any
    on_failure: Any
    on_cancel: Any

    def of(self, function: Callable[..., Any]) -> tuple[Callable[..., Any], Registered]:
        """Return the function without a wrapper of its class, and its definition. Raises RegistrationError."""
        plain, wrapper = unwrap(function)
        require_workflow_function(plain)
        require_retry(self.retry, "workflow")
        return plain, Registered(
            func=ClassMethod(plain) if wrapper is classmethod else plain,
            given_name=_name_of(self.name),
            queue=self.queue,
            priority=priority_of(self.priority),
            timeout_seconds=None if self.timeout is None else seconds_of(self.timeout, "timeout", at_least=0.001),
            max_recoveries=_count_of(self.max_recoveries),
            retry=self.retry,
            retention_seconds=retention_of(self.retention),
            version=_text_of(self.version, "version") if self.version else "",
            permission=None if self.permission is None else _permission_of(self.permission),
            on_failure=_follower_of(self.on_failure, "on_failure"),
            on_cancel=_follower_of(self.on_cancel, "on_cancel"),
        )


class ClassMethod:
    """A class method, which learns its class after the class body has run."""

    def __init__(self, func: Callable[..., Any]) -> None:
        functools.update_wrapper(self, func)
        self.func = func
        self.owner: type | None = None
        self.__signature__ = _without_first(func)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(self.owner, *args, **kwargs)


def _without_first(func: Callable[..., Any]) -> Any:
    signature = functools.partial(func, None)
    return inspect.signature(signature)


def _name_of(name: str | None) -> str | None:
    if name is not None and not is_name(name):
        message = f"A workflow's name must have 1 to {LONGEST_NAME} printable characters, got {name!r}."
        raise RegistrationError(message=message)
    return name


def _count_of(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= 1_000_000):  # noqa: PLR2004
        raise RegistrationError(message=f"@workflow(max_recoveries=) must be a whole number from 0, got {value!r}.")
    return value


def _text_of(value: Any, argument: str) -> str:
    if not isinstance(value, str) or not is_name(value):
        message = f"@workflow({argument}=) must have 1 to {LONGEST_NAME} printable characters, got {value!r}."
        raise RegistrationError(message=message)
    return value


def _permission_of(value: Any) -> str:
    label, _dot, codename = _text_of(value, "permission").partition(".")
    if not (label and codename):
        message = f"@workflow(permission=) must be a permission as has_perm() takes it, 'shop.sell', got {value!r}."
        raise RegistrationError(message=message)
    return str(value)


def _follower_of(value: Any, argument: str) -> str | Registered | None:
    registered = getattr(value, "registered", None)
    if value is None or isinstance(registered, Registered):
        return registered
    if not isinstance(value, str) or not is_name(value):
        message = f"@workflow({argument}=) must be a workflow or the name of one, got {value!r}."
        raise RegistrationError(message=message)
    return value
