"""WorkflowHandle: watch a workflow from anywhere, and wait for its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from durable_django.api.durations import seconds_of
from durable_django.base import clock, payloads
from durable_django.engine import context
from durable_django.exceptions import (
    InsideTransaction,
    OutsideWorkflow,
    ResultTimeout,
    WorkflowCancelled,
    WorkflowNotFound,
)
from durable_django.models.status import Status
from durable_django.models.workflow import Workflow

R = TypeVar("R")
T = TypeVar("T")

_SHORTEST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.25


class WorkflowHandle(Generic[R]):
    """One workflow, by its id; reads the row when asked."""

    def __init__(self, workflow_id: str) -> None:
        self.id = workflow_id
        self._row: Workflow | None = None

    def __repr__(self) -> str:
        return f"<WorkflowHandle {self.id}>"

    @property
    def workflow(self) -> Workflow:
        """
        The row as of the last refresh().

        Raises WorkflowNotFound if there is none.
        """
        return self._row if self._row is not None else self.refresh().workflow

    @property
    def status(self) -> str:
        """The status as of the last refresh()."""
        return self.workflow.status

    def refresh(self) -> WorkflowHandle[R]:
        """
        Read the row again. Return the handle itself.

        Raises WorkflowNotFound if there is none.
        """
        self._row = Workflow.objects.using(context.alias_of_workflows()).filter(pk=self.id).first()
        if self._row is None:
            raise WorkflowNotFound(workflow_id=self.id)
        return self

    async def arefresh(self) -> WorkflowHandle[R]:
        """See refresh()."""
        return await sync_to_async(self.refresh)()

    def result(self, timeout: float | timedelta | None = None) -> R:
        """
        Wait for the workflow to end and return its result.

        timeout  seconds, or a timedelta, to wait at most; None waits for ever

        Raises the workflow's own exception if its class is loaded here, else WorkflowFailed; WorkflowCancelled;
        ResultTimeout (the workflow goes on); InsideTransaction if it would have to wait inside atomic().
        """
        self._refuse_in_workflow()
        self.refresh()
        if not self.workflow.is_finished:
            self._wait(None if timeout is None else seconds_of(timeout, "timeout"))
        return outcome_of(self.workflow)  # type: ignore[no-any-return]

    async def aresult(self, timeout: float | timedelta | None = None) -> R:  # noqa: ASYNC109 - as result()
        """See result()."""
        return await aside(self.result, timeout)

    def _refuse_in_workflow(self) -> None:
        if context.current_run() is not None:
            raise OutsideWorkflow(
                operation=f"result() of workflow {self.id!r}",
                where="outside of workflows and steps",
                advice="Waiting would hold the workflow's thread. Wait where it was started.",
            )

    def _wait(self, timeout: float | None) -> None:
        require_may_wait(f"result() of workflow {self.id!r}")
        wait_until(lambda: self.refresh().workflow.is_finished, timeout, self)


def require_may_wait(operation: str) -> None:
    """Raise InsideTransaction if a wait could never end: what it waits for cannot be seen, or cannot happen."""
    connection = connections[context.alias_of_workflows()]
    if not connection.in_atomic_block:
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


def is_in_testcase(connection: Any) -> bool:
    """Whether the open blocks are only those of a TestCase: decided as atomic(durable=True) decides it."""
    return bool(connection.atomic_blocks) and bool(connection.atomic_blocks[-1]._from_testcase)  # noqa: SLF001 - as Django itself asks


async def aside(act: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """
    Do something that may take long beside Django's one thread for synchronous code, which others need meanwhile.

    Nobody else would close the connections of that thread. Under a TestCase only the one thread sees the test's rows.
    """
    is_in_test = await sync_to_async(lambda: is_in_testcase(connections[context.alias_of_workflows()]))()

    def run() -> T:
        try:
            return act(*args, **kwargs)
        finally:
            if not is_in_test:
                connections.close_all()

    return await sync_to_async(run, thread_sensitive=is_in_test)()


def wait_until(is_over: Callable[[], bool], timeout: float | None, handle: WorkflowHandle[Any]) -> None:
    """Ask again and again, less and less often. Raises ResultTimeout."""
    began, pause = clock.elapsed_seconds(), _SHORTEST_PAUSE_SECONDS
    while not is_over():
        waited = clock.elapsed_seconds() - began
        if timeout is not None and waited >= timeout:
            raise ResultTimeout(workflow_id=handle.id, timeout=timeout, status=handle.status)
        time.sleep(pause if timeout is None else min(pause, timeout - waited))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def outcome_of(workflow: Workflow) -> Any:
    """Return the result of an ended workflow, or raise its error."""
    if workflow.status == Status.CANCELLED:
        raise WorkflowCancelled(workflow_id=workflow.pk, reason=workflow.reason or "no reason given")
    if workflow.status == Status.FAILED:
        raise payloads.decode_error(workflow.error or "", workflow.pk)
    return None if workflow.output is None else payloads.decode(workflow.output)


def get_handle(workflow_id: str) -> WorkflowHandle[Any]:
    """
    Return a handle to a workflow that exists.

    Raises WorkflowNotFound otherwise.
    """
    return WorkflowHandle[Any](workflow_id).refresh()


async def aget_handle(workflow_id: str) -> WorkflowHandle[Any]:
    """See get_handle()."""
    return await sync_to_async(get_handle)(workflow_id)
