"""What a task may say beyond Django's own options: attempts, pauses between them, timeouts, atomicity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from durable_django.api.durations import seconds_of
from durable_django.base.retries import Retry
from durable_django.exceptions import RegistrationError

F = TypeVar("F", bound=Callable[..., Any])

#: Every option, and what it is where nobody says otherwise.
DEFAULTS: dict[str, Any] = {
    "max_attempts": 1,
    "backoff": None,
    "retry_on": (Exception,),
    "timeout": None,
    "atomic": False,
}
#: Where task_options() leaves what it was given.
_ATTRIBUTE = "_durable_task_options"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """
    The options of one task, all of them decided.

    backoff  the callable that a task has given, None for the pauses of `retry`
    """

    retry: Retry
    backoff: Callable[[BaseException, Any], Any] | None = None
    timeout_seconds: float | None = None
    is_atomic: bool = False

    def delay_after(self, attempt: int, error: Exception, result: Any) -> float | None:
        """
        Return the seconds to wait after failed attempt number `attempt` (from 1), or None if it was the last.

        result  what the attempt's TaskContext had; for the callable
        """
        delay = self.retry.delay_after(attempt, error)
        if delay is None or self.backoff is None:
            return delay
        chosen = self.backoff(error, result)
        return None if chosen is None else seconds_of(chosen, "what backoff() returns")


def task_options(
    *,
    max_attempts: int | None = None,
    backoff: float | timedelta | Callable[[BaseException, Any], Any] | None = None,
    retry_on: tuple[type[Exception], ...] | None = None,
    timeout: float | timedelta | None = None,
    atomic: bool | None = None,
) -> Callable[[F], F]:
    """
    Give options to a task where `@task` itself takes none, as in Django 6.0; write it below `@task`.

    max_attempts  calls in all, the first included; 1 by default
    backoff       seconds, or a timedelta, before the second call, doubled with each further one; or a callable that
                  is given the exception and the TaskResult and returns the seconds, or None to give up
    retry_on      exception classes worth another call; any Exception by default
    timeout       seconds, or a timedelta, that one call may take
    atomic        True: the ORM writes of a call commit together with the record that it ended, exactly once

    What `@task` is given itself wins. Raises RegistrationError, naming the option, for what cannot be.
    """
    given = {
        "max_attempts": max_attempts,
        "backoff": backoff,
        "retry_on": retry_on,
        "timeout": timeout,
        "atomic": atomic,
    }
    if found := fault_in(given):
        raise RegistrationError(message=found)

    def mark(func: F) -> F:
        setattr(func, _ATTRIBUTE, given)
        return func

    return mark


def given_to(task: Any) -> dict[str, Any]:
    """Return the options that a task has by itself or from task_options(); None where it says nothing."""
    marked: Mapping[str, Any] = getattr(task.func, _ATTRIBUTE, {})
    own = {name: getattr(task, name, None) for name in DEFAULTS}
    return {name: marked.get(name) if own[name] is None else own[name] for name in DEFAULTS}


def policy_of(task: Any, of_backend: Mapping[str, Any]) -> Policy:
    """Return what holds for a task: its own options, else those of its backend's OPTIONS, else the defaults."""
    own = given_to(task)
    return _decided({name: _first(own[name], of_backend.get(name), DEFAULTS[name]) for name in DEFAULTS})


def fault_in(given: Mapping[str, Any]) -> str:
    """Return a sentence about the first option that cannot be, nothing if all can."""
    try:
        _decided({name: _first(given.get(name), DEFAULTS[name]) for name in DEFAULTS})
    except RegistrationError as error:
        # Retry words it as its own argument, under another name for the pause.
        return str(error).replace("Retry(base_seconds=)", "backoff").replace("Retry(", "").replace("=)", "")
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _decided(values: Mapping[str, Any]) -> Policy:
    backoff, timeout, atomic = values["backoff"], values["timeout"], values["atomic"]
    if type(atomic) is not bool:
        message = f"atomic must be True or False, got {atomic!r}."
        raise TypeError(message)
    retry = {"max_attempts": values["max_attempts"], "retry_on": values["retry_on"]}
    if backoff is not None and not callable(backoff):
        retry["base_seconds"] = seconds_of(backoff, "backoff")
    return Policy(
        retry=Retry(**retry),
        backoff=backoff if callable(backoff) else None,
        timeout_seconds=None if timeout is None else seconds_of(timeout, "timeout", at_least=0.001),
        is_atomic=atomic,
    )
