"""
Names of workflows and queues that the loaded code declares.

A name from a row is only ever looked up here: nothing that a row says is imported. Names are settled at the first
look-up, since decorators run before Django's apps are ready.
"""

from __future__ import annotations

import difflib
import inspect
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps

from durable_django.base import payloads
from durable_django.base.limits import Limits
from durable_django.base.retries import Retry
from durable_django.conf import durable_settings
from durable_django.exceptions import RegistrationError, UnknownQueue, UnknownWorkflow


@dataclass(eq=False, kw_only=True)
class Registered:
    """One workflow definition as the engine knows it: the function, and what was said in the decorator."""

    func: Callable[..., Any]
    given_name: str | None = None
    queue: str | None = None
    priority: int = 0
    timeout_seconds: float | None = None
    max_recoveries: int | None = None
    retry: Retry | None = None
    retention_seconds: int | None = None
    version: str = ""
    permission: str | None = None
    on_failure: str | Registered | None = None
    on_cancel: str | Registered | None = None
    _name: str = field(default="", init=False)

    @property
    def name(self) -> str:
        """The registered name: the given one, else `app_label.function`."""
        if not self._name:
            self._name = self.given_name or f"{_owner(self.func.__module__)}.{self.func.__qualname__}"
        return self._name

    @cached_property
    def signature(self) -> inspect.Signature:
        """The parameters that a call of the function takes."""
        return inspect.signature(self.func)

    def encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """
        Return the arguments of a call as text, each in the place the signature gives it: f(7) and f(order=7) are one.

        Raises TypeError if the function does not take them, PayloadError if they cannot be stored.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            message = f"{self.name}{self.signature} does not take these arguments: {error}."
            raise TypeError(message) from None
        return payloads.encode_call(bound.args, bound.kwargs)

    @cached_property
    def is_async(self) -> bool:
        """Whether the function is to be awaited."""
        return inspect.iscoroutinefunction(inspect.unwrap(self.func))

    @property
    def place(self) -> str:
        """Where the function stands, for error messages."""
        code = getattr(self.func, "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(self.func)

    def is_same_as(self, other: Registered) -> bool:
        """Whether both are one function of the source: a reloaded module declares it again."""
        mine, others = self.func, other.func
        return (mine.__module__, mine.__qualname__) == (others.__module__, others.__qualname__)


def _owner(module: str) -> str:
    """Return the label of the app that contains the module, else its top-level package."""
    apps.check_apps_ready()
    config = apps.get_containing_app_config(module)
    return config.label if config else module.split(".", 1)[0]


class WorkflowRegistry:
    """The workflow definitions of this process, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unnamed: list[Registered] = []
        self._by_name: dict[str, Registered] = {}
        self._clashes: list[str] = []

    def add(self, registered: Registered) -> None:
        """Remember a definition; its name is settled later."""
        with self._lock:
            self._unnamed.append(registered)

    def get(self, name: str) -> Registered:
        """
        Return the definition of that name.

        Raises UnknownWorkflow, with the nearest known name, if no loaded code has it.
        """
        self._settle()
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownWorkflow(name=name, nearest=nearest(name, self._by_name)) from None

    def names(self) -> list[str]:
        """Return every known name, sorted."""
        self._settle()
        return sorted(self._by_name)

    def knows(self, name: str) -> bool:
        """Whether this process can run workflows of that name."""
        self._settle()
        return name in self._by_name

    def name_of_follower(self, follower: str | Registered | None) -> str:
        """Return the name of a workflow that another one names in its declaration; '' for none."""
        return self.settle_name_of(follower) if isinstance(follower, Registered) else follower or ""

    def clashes(self) -> list[str]:
        """Return a sentence for each name that two functions claim; the system check reports them."""
        self._settle()
        return list(self._clashes)

    def settle_name_of(self, registered: Registered) -> str:
        """
        Return the name of a definition.

        Raises RegistrationError, showing both places, if another function has it too.
        """
        self._settle()
        holder = self._by_name[registered.name]
        if not holder.is_same_as(registered):
            raise RegistrationError(message=_clash(holder, registered))
        return registered.name

    def _settle(self) -> None:
        if not self._unnamed:
            return
        with self._lock:
            while self._unnamed:
                self._place(self._unnamed[0])
                del self._unnamed[0]

    def _place(self, registered: Registered) -> None:
        holder = self._by_name.get(registered.name)
        if holder is not None and not holder.is_same_as(registered):
            self._clashes.append(_clash(holder, registered))
            return
        self._by_name[registered.name] = registered


def _clash(first: Registered, second: Registered) -> str:
    return (
        f"Two workflows are named {second.name!r}: {first.place} and {second.place}. "
        "Give one of them another name: @workflow(name='...')."
    )


class QueueRegistry:
    """The queues that this process's code declares, with their limits."""

    def __init__(self) -> None:
        self._declared: dict[str, Limits] = {}
        self._mentioned: set[str] = set()

    def add(self, name: str, limits: Limits) -> None:
        """
        Remember a declared queue; declaring it twice in the same way is fine.

        Raises RegistrationError if it was declared with other limits.
        """
        before = self._declared.setdefault(name, limits)
        if before != limits:
            raise RegistrationError(
                message=f"Queue {name!r} is declared twice, with {before} and with {limits}. Declare it in one place."
            )

    def mention(self, name: str) -> None:
        """Remember a queue that is known by its name only; limits are those of a declaration, if there is one."""
        self._mentioned.add(name)

    def declared(self) -> dict[str, Limits]:
        """Return the limits of each known queue, also of the default one."""
        unlimited = dict.fromkeys([durable_settings.DEFAULT_QUEUE, *self._mentioned], Limits())
        return {**unlimited, **self._declared}

    def names(self) -> list[str]:
        """Return the declared queues and the default one, sorted."""
        return sorted(self.declared())

    def limits_of(self, name: str) -> Limits:
        """Return the limits that the code declares for a queue."""
        return self._declared.get(name, Limits())

    def require(self, name: str) -> str:
        """
        Return the name if it is declared.

        Raises UnknownQueue, with the nearest declared name, otherwise.
        """
        if name not in self._declared and name not in self._mentioned and name != durable_settings.DEFAULT_QUEUE:
            raise UnknownQueue(queue=name, nearest=nearest(name, self.names()))
        return name


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean ...?' for the nearest known name, or nothing."""
    matches = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


workflows = WorkflowRegistry()
queues = QueueRegistry()
