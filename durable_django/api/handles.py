"""WorkflowHandle: watch a workflow from anywhere, and wait for its result."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from asgiref.sync import markcoroutinefunction
from django.db import connections
from django.db.models import Count

from durable_django.api.durations import seconds_of
from durable_django.api.patience import Patience, patiently, pauses
from durable_django.api.twins import is_in_testcase, patient_twin, twin
from durable_django.base import payloads
from durable_django.engine import children, context
from durable_django.engine.branches import Branch
from durable_django.engine.context import Run
from durable_django.exceptions import (
    InsideTransaction,
    OutsideWorkflow,
    ResultTimeout,
    WorkflowNotFound,
    WorkflowPruned,
)
from durable_django.models import outcomes
from durable_django.models.status import Status
from durable_django.models.workflow import Workflow

R = TypeVar("R")


class WorkflowHandle(Generic[R]):
    """One workflow, by its id; reads the row when asked."""

    def __init__(self, workflow_id: str) -> None:
        self.id = workflow_id
        self._row: Workflow | None = None
        # What the code of a workflow has seen, and on which branch: another one, or another attempt, looks anew.
        self._seen: tuple[Branch, str] | None = None

    def __repr__(self) -> str:
        return f"<WorkflowHandle {self.id}>"

    @property
    def workflow(self) -> Workflow:
        """
        The row as of the last refresh().

        Raises WorkflowNotFound if there is none; OutsideWorkflow in a workflow itself, since a replay would see another
        one: ask for the status, or read the row in a step.
        """
        if _run_of_own_code() is not None:
            advice = "A replay would see another one. Ask for its .status, which is recorded, or read it in a step."
            raise OutsideWorkflow(
                operation=f"The row of workflow {self.id!r}", where="outside of workflows, or in a step", advice=advice
            )
        return self._row if self._row is not None else self.refresh().workflow

    @property
    def status(self) -> str:
        """The status as of the last refresh()."""
        run = _run_of_own_code()
        if run is None:
            return self.workflow.status
        if self._seen is None or self._seen[0] is not run.branch:
            self.refresh()
        return self._seen[1] if self._seen is not None else ""

    def refresh(self) -> WorkflowHandle[R]:
        """
        Read the row again. Return the handle itself.

        In a workflow the status is recorded, so that every replay sees the same. Raises WorkflowNotFound if there is
        no row.
        """
        run = _run_of_own_code()
        if run is not None:
            self._seen = (run.branch, children.status_of(self.id))
            return self
        self._row = Workflow.objects.using(context.alias_of_workflows()).filter(pk=self.id).first()
        if self._row is None:
            raise WorkflowNotFound(workflow_id=self.id)
        return self

    @markcoroutinefunction
    def arefresh(self) -> Coroutine[Any, Any, WorkflowHandle[R]]:
        """See refresh()."""
        return twin("arefresh()", self.refresh)

    def result(self, timeout: float | timedelta | None = None) -> R:
        """
        Wait for the workflow to end and return its result.

        timeout  seconds, or a timedelta, to wait at most; None waits for ever

        Raises the workflow's own exception if its class is loaded here, else WorkflowFailed; WorkflowCancelled;
        WorkflowPruned if it ended so long ago that its result is gone; ResultTimeout (the workflow goes on);
        InsideTransaction if it would have to wait inside atomic().
        In a workflow the wait suspends, and the outcome is recorded.
        """
        if context.current_run() is not None:
            seconds = None if timeout is None else seconds_of(timeout, "timeout")
            return children.result(self.id, seconds)  # type: ignore[no-any-return]
        return patiently(self._end(timeout))

    @markcoroutinefunction
    def aresult(self, timeout: float | timedelta | None = None) -> Coroutine[Any, Any, R]:
        """See result()."""
        return patient_twin("aresult()", partial(self.result, timeout), partial(self._end, timeout))

    def _end(self, timeout: float | timedelta | None) -> Patience[R]:
        waiting = pauses(None if timeout is None else seconds_of(timeout, "timeout"))
        while not self.refresh().workflow.is_finished:
            require_may_wait(f"result() of workflow {self.id!r}")
            yield _next(waiting, self, timeout)
        return outcome_of(self.workflow)  # type: ignore[no-any-return]


def _run_of_own_code() -> Run | None:
    """Return the run if this is the code of a workflow itself, not of a step: what it sees must be recorded."""
    return context.current_run() if context.current_step() is None else None


def require_may_wait(operation: str) -> None:
    """Raise InsideTransaction if a wait could never end: what it waits for cannot be seen, or cannot happen."""
    connection = connections[context.alias_of_workflows()]
    # get_autocommit() opens a connection, which a look has done before.
    if not connection.in_atomic_block and connection.get_autocommit():
        return
    if is_in_testcase(connection):
        raise InsideTransaction(
            operation=operation,
            reason="no worker sees the rows of a TestCase, so the wait would never end.",
            advice="Call durable_django.testing.run_until_idle() first.",
        )
    raise InsideTransaction(
        operation=operation,
        reason="no worker sees the workflow before the block has committed, so the wait would never end.",
        advice="Wait after the block.",
    )


def _next(waiting: Iterator[float], handle: WorkflowHandle[Any], timeout: Any) -> float:
    """Return the next pause. Raises ResultTimeout when there is none."""
    for pause in waiting:
        return pause
    raise ResultTimeout(workflow_id=handle.id, timeout=timeout, status=handle.status)


def outcome_of(workflow: Workflow) -> Any:
    """Return the result of an ended workflow, or raise its error; WorkflowPruned if both are gone."""
    if workflow.pruned_at is not None:
        raise WorkflowPruned(workflow_id=workflow.pk, status=workflow.status)
    if workflow.status == Status.CANCELLED:
        raise outcomes.cancelled(workflow.pk, workflow.reason)
    if workflow.status == Status.FAILED:
        raise payloads.decode_error(workflow.error or "", workflow.pk)
    return None if workflow.output is None else payloads.decode(workflow.output)


def wait_first(handles: Sequence[WorkflowHandle[R]], timeout: float | timedelta | None = None) -> WorkflowHandle[R]:
    """
    Wait until one of several workflows has ended. Return its handle; of several that have, of the first that did.

    timeout  seconds, or a timedelta, to wait at most; None waits for ever

    Raises ResultTimeout, WorkflowNotFound, InsideTransaction as result() does; ValueError without handles. In a
    workflow the wait suspends, and the answer is recorded.
    """
    return _wait_for(handles, timeout, is_for_all=False)


def wait_all(handles: Sequence[WorkflowHandle[R]], timeout: float | timedelta | None = None) -> None:
    """
    Wait until all of several workflows have ended, well or badly: ask each for its result().

    timeout  seconds, or a timedelta, to wait at most; None waits for ever

    Raises ResultTimeout, WorkflowNotFound, InsideTransaction as result() does. In a workflow the wait suspends.
    """
    if handles:
        _wait_for(handles, timeout, is_for_all=True)


@markcoroutinefunction
def await_first(
    handles: Sequence[WorkflowHandle[R]], timeout: float | timedelta | None = None
) -> Coroutine[Any, Any, WorkflowHandle[R]]:
    """See wait_first()."""
    call = partial(wait_first, handles, timeout)
    return patient_twin("await_first()", call, partial(_ends, handles, timeout, is_for_all=False))


@markcoroutinefunction
def await_all(
    handles: Sequence[WorkflowHandle[R]], timeout: float | timedelta | None = None
) -> Coroutine[Any, Any, None]:
    """See wait_all()."""
    return _await_all(handles, timeout) if handles else _nothing()


async def _nothing() -> None:
    """Wait for nothing."""


def _await_all(handles: Sequence[WorkflowHandle[R]], timeout: float | timedelta | None) -> Coroutine[Any, Any, None]:
    call: Callable[[], Any] = partial(wait_all, handles, timeout)

    def waiting() -> Patience[None]:
        yield from _ends(handles, timeout, is_for_all=True)

    return patient_twin("await_all()", call, waiting)


def _wait_for(
    handles: Sequence[WorkflowHandle[R]], timeout: float | timedelta | None, *, is_for_all: bool
) -> WorkflowHandle[R]:
    by_id = _by_id(handles)
    if context.current_run() is not None:
        seconds = None if timeout is None else seconds_of(timeout, "timeout")
        return by_id[children.first_of(list(by_id), seconds, is_for_all=is_for_all)]
    return patiently(_ends(handles, timeout, is_for_all=is_for_all))


def _by_id(handles: Sequence[WorkflowHandle[R]]) -> dict[str, WorkflowHandle[R]]:
    by_id = {handle.id: handle for handle in handles}
    if not by_id:
        message = "wait_first() needs at least one handle, got none."
        raise ValueError(message)
    return by_id


def _ends(
    handles: Sequence[WorkflowHandle[R]], timeout: float | timedelta | None, *, is_for_all: bool
) -> Patience[WorkflowHandle[R]]:
    by_id = _by_id(handles)
    waiting = pauses(None if timeout is None else seconds_of(timeout, "timeout"))
    rows = Workflow.objects.using(context.alias_of_workflows()).filter(pk__in=list(by_id))
    while True:
        found = rows.aggregate(there=Count("pk"), ended=Count("finished_at"))
        if found["there"] < len(by_id):
            raise WorkflowNotFound(workflow_id=min(by_id.keys() - set(rows.values_list("pk", flat=True))))
        if found["ended"] == len(by_id) or (found["ended"] and not is_for_all):
            break
        require_may_wait("wait_all()" if is_for_all else "wait_first()")
        yield _next(waiting, next(iter(by_id.values())), timeout)
    return by_id[rows.filter(finished_at__isnull=False).order_by("finished_at", "pk").values_list("pk", flat=True)[0]]


def get_handle(workflow_id: str) -> WorkflowHandle[Any]:
    """
    Return a handle to a workflow that exists.

    Raises WorkflowNotFound otherwise.
    """
    return WorkflowHandle[Any](workflow_id).refresh()


@markcoroutinefunction
def aget_handle(workflow_id: str) -> Coroutine[Any, Any, WorkflowHandle[Any]]:
    """See get_handle()."""
    return twin("aget_handle()", partial(get_handle, workflow_id))
