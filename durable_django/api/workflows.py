"""@workflow: functions whose progress is kept in the database, and what can be done with them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar, overload

from asgiref.sync import markcoroutinefunction
from django.db.models import Model

from durable_django.api import inline
from durable_django.api.handles import WorkflowHandle
from durable_django.api.options import Debounce, Given, start_options
from durable_django.api.said import ClassMethod, Said
from durable_django.api.twins import aside, twin
from durable_django.base import registry
from durable_django.base.registry import Registered
from durable_django.base.retries import Retry
from durable_django.engine import children, context
from durable_django.engine.starting import StartOptions
from durable_django.exceptions import OutsideWorkflow

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Arguments:
    """The arguments of one workflow among many: see start_many()."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class WorkflowDefinition(Generic[P, R]):
    """A workflow: start it, call it, or configure a copy with using()."""

    def __init__(self, func: Callable[..., Any], registered: Registered, options: StartOptions | None = None) -> None:
        self.registered = registered
        self.options = options or StartOptions()
        functools.update_wrapper(self, func)
        if registered.is_async:
            # So that async_to_sync() and Django know what to await.
            markcoroutinefunction(self)

    def __repr__(self) -> str:
        return f"<workflow {self.registered.func.__qualname__}>"

    def __set_name__(self, owner: type, _name: str) -> None:
        """Give a class method its class, which is known only now."""
        if isinstance(self.registered.func, ClassMethod):
            self.registered.func.owner = owner

    @property
    def name(self) -> str:
        """
        The registered name.

        Raises RegistrationError if another function has the same.
        """
        return registry.workflows.settle_name_of(self.registered)

    def start(self, *args: P.args, **kwargs: P.kwargs) -> WorkflowHandle[R]:
        """
        Start the workflow: one INSERT on the caller's connection, in the caller's transaction. Return its handle.

        It is visible, and run, only after commit, and gone after a rollback. With using(id=) a second start returns
        the handle of the first. Inside a workflow or a step it starts a child, under an id that a replay makes again.

        Raises TypeError for arguments that the function does not take, PayloadError for values that cannot be stored,
        UnknownQueue, WorkflowConflict, DuplicateWorkflow. Nothing is written on error.
        """
        return WorkflowHandle(children.start(self.registered, args, kwargs, self.options))

    @markcoroutinefunction
    def astart(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, WorkflowHandle[R]]:
        """See start()."""
        return twin("astart()", partial(self.start, *args, **kwargs))

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Arguments:
        """Return these arguments as one item for start_many()."""
        return Arguments(args, kwargs)

    def start_many(self, calls: Iterable[tuple[Any, ...] | list[Any] | Arguments]) -> list[WorkflowHandle[R]]:
        """
        Start one workflow for each item: a tuple of positional arguments, or call(...). Return their handles in order.

        All or none: one statement, sent for all rows without waiting for each. Raises as start() does; ValueError under
        using(id=) or using(deduplication_key=), which no two workflows have.
        """
        if self.options.id is not None:
            message = f"start_many() makes many workflows, they cannot all have the id {self.options.id!r}."
            raise ValueError(message)
        if self.options.deduplication_key is not None:
            key = self.options.deduplication_key
            message = f"start_many() makes many workflows, only one of which could hold the deduplication key {key!r}."
            raise ValueError(message)
        items = [_args_and_kwargs(item) for item in calls]
        return [WorkflowHandle(new_id) for new_id in children.start_many(self.registered, items, self.options)]

    @markcoroutinefunction
    def astart_many(
        self, calls: Iterable[tuple[Any, ...] | list[Any] | Arguments]
    ) -> Coroutine[Any, Any, list[WorkflowHandle[R]]]:
        """See start_many()."""
        return twin("astart_many()", partial(self.start_many, calls))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Run the workflow here and now, durably, and return its result.

        If the process dies, a worker finishes it. Inside a workflow it is a child, whose end is waited for without a
        thread; inside a step it is refused. Raises the workflow's own exception, what start() raises, and
        InsideTransaction inside atomic().
        """
        run = context.current_run()
        if run is None:
            if self.registered.is_async:
                return self.acall(*args, **kwargs)  # type: ignore[return-value]
        elif run.board is None or context.has_taken_places() or context.current_step() is not None:
            return self._as_child(*args, **kwargs)
        elif self.registered.is_async:
            return self.acall(*args, **kwargs)  # type: ignore[return-value]
        else:
            name = self.registered.name
            context.refuse_blocking(f"Workflow {name!r}", f"await {self.registered.func.__name__}.acall(...)")
        return inline.call(self.registered, args, kwargs, self.options)  # type: ignore[no-any-return]

    def _as_child(self, *args: Any, **kwargs: Any) -> R:
        if context.current_step() is not None:
            raise OutsideWorkflow(
                operation=f"A call of workflow {self.registered.name!r}",
                where="in the workflow itself, not inside a step",
                advice="A step cannot wait for it: call it in the workflow, or only start() it in the step.",
            )
        return self.start(*args, **kwargs).result()

    @markcoroutinefunction
    def acall(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Run it from async code, whether it is async or not: see __call__()."""
        if context.current_run() is not None:
            return twin("acall()", partial(self._as_child, *args, **kwargs), places=2)
        return aside(partial(inline.call, self.registered, args, kwargs, self.options))

    def using(  # noqa: PLR0913 - one keyword per option
        self,
        *,
        id: str | None = None,  # noqa: A002 - the word that API and column use
        queue: str | None = None,
        priority: int | None = None,
        delay: float | timedelta | None = None,
        run_after: datetime | None = None,
        timeout: float | timedelta | None = None,
        attributes: dict[str, Any] | None = None,
        user: Any = None,
        deduplication_key: str | None = None,
        on_duplicate: str | None = None,
        debounce: Debounce | None = None,
        partition_key: str | None = None,
        subject: Model | None = None,
        version: str | None = None,
    ) -> WorkflowDefinition[P, R]:
        """
        Return a copy with other options for start(), start_many() or a call; what is not given stays as it was.

        id                 the idempotency key, 1 to 255 characters: a second start returns a handle to the first
        queue              another declared queue
        priority           whole number from -100 to 100, larger first
        delay              seconds, or a timedelta, until it may run
        run_after          aware moment before which it does not run
        timeout            seconds, or a timedelta, from the first claim to the end; then it is cancelled
        attributes         JSON object on the row, for your own queries
        user               who starts it, for current_workflow().user; must have the workflow's permission=
        deduplication_key  at most one live workflow of a queue has it
        on_duplicate       "raise" (default), or "return_existing": the one with this id, or with this key
        debounce           a Debounce: later calls with the key move the start, and replace the arguments
        partition_key      the partition of a partitioned queue, which serves them in turn
        subject            any saved row that it is about: see Workflow.objects.for_subject()
        version            another one than that of the declaration

        Raises ValueError or TypeError, naming the argument, for values out of range; UnknownQueue.
        """
        given = Given(
            id, queue, priority, delay, run_after, timeout, attributes, user, deduplication_key, on_duplicate, debounce,
            partition_key, subject, version,
        )  # fmt: skip
        options = start_options(self.options, **given._asdict())
        return WorkflowDefinition(self.registered.func, self.registered, options)


@overload
def workflow(func: Callable[P, R], /) -> WorkflowDefinition[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    queue: str | None = None,
    priority: int = 0,
    timeout: float | timedelta | None = None,
    max_recoveries: int | None = None,
    retry: Retry | None = None,
    retention: float | timedelta | None = None,
    version: str = "",
    permission: str | None = None,
    on_failure: WorkflowDefinition[..., Any] | str | None = None,
    on_cancel: WorkflowDefinition[..., Any] | str | None = None,
) -> Callable[[Callable[P, R]], WorkflowDefinition[P, R]]: ...
def workflow(  # noqa: PLR0913 - one keyword per option
    func: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    queue: str | None = None,
    priority: int = 0,
    timeout: float | timedelta | None = None,
    max_recoveries: int | None = None,
    retry: Retry | None = None,
    retention: float | timedelta | None = None,
    version: str = "",
    permission: str | None = None,
    on_failure: WorkflowDefinition[..., Any] | str | None = None,
    on_cancel: WorkflowDefinition[..., Any] | str | None = None,
) -> WorkflowDefinition[P, R] | Callable[[Callable[P, R]], WorkflowDefinition[P, R]]:
    """
    Make a function a workflow: its steps are recorded, and after a crash it continues behind the last one.

    name            under which rows refer to it; `app_label.function` by default, so that modules may move
    queue           a declared queue; DEFAULT_QUEUE by default
    priority        whole number from -100 to 100, larger first
    timeout         seconds, or a timedelta, from the first claim to the end; kept as an absolute deadline by recovery
    max_recoveries  leases lost in a row, without a new checkpoint, after which it fails; MAX_RECOVERIES by default
    retry           run the whole workflow again after a failure, replaying the steps that succeeded
    retention       seconds, or a timedelta, for which it keeps its steps and result after its end, however it ended; 0:
                    no longer than it takes a worker to see it, math.inf: for ever. As the settings say by default
    version         of the code, for your own queries and current_workflow().version
    permission      "shop.sell", say, which the user must have that using(user=) names
    on_failure      workflow, or its name, that starts in the transaction that ends this one with an error, with the id
                    and then the arguments of this one
    on_cancel       the same when it is cancelled

    Raises RegistrationError for generators, lambdas, local functions and methods.
    """
    said = Said(
        name, queue, priority, timeout, max_recoveries, retry, retention, version, permission, on_failure, on_cancel
    )
    return partial(_declare, said) if func is None else _declare(said, func)


def _declare(said: Said, func: Callable[P, R]) -> WorkflowDefinition[P, R]:
    plain, registered = said.of(func)
    registry.workflows.add(registered)
    return WorkflowDefinition(plain, registered)


def _args_and_kwargs(item: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(item, Arguments):
        return item.args, item.kwargs
    if not isinstance(item, tuple | list):
        # A text, above all, would be taken for a list of letters.
        message = f"start_many() takes tuples of positional arguments, or call(...), got {item!r}. Write ({item!r},)."
        raise TypeError(message)
    return tuple(item), {}


def start(name: str, /, *args: Any, **kwargs: Any) -> WorkflowHandle[Any]:
    """
    Start a workflow by its name, where its function is not at hand: `start("shop.checkout", order_id)`.

    Raises UnknownWorkflow, with the nearest known name, if no loaded code has it; else as WorkflowDefinition.start().
    """
    return definition_of(name).start(*args, **kwargs)


@markcoroutinefunction
def astart(name: str, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, WorkflowHandle[Any]]:
    """See start()."""
    return twin("astart()", partial(start, name, *args, **kwargs))


def definition_of(name: str) -> WorkflowDefinition[Any, Any]:
    """
    Return the definition of that name, to configure it with using().

    Raises UnknownWorkflow, with the nearest known name, if no loaded code has it.
    """
    registered = registry.workflows.get(name)
    return WorkflowDefinition(registered.func, registered)


__all__ = ["Arguments", "WorkflowDefinition", "definition_of", "start", "workflow"]
