"""Plain calls of a workflow: run here and now, durably; if the process dies, a worker finishes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from durable_django.api import handles, presence, twins
from durable_django.api.handles import WorkflowHandle
from durable_django.base import registry
from durable_django.base.registry import Registered
from durable_django.engine import attempts, context, starting
from durable_django.engine.ownership import Ownership
from durable_django.engine.starting import StartOptions
from durable_django.exceptions import InsideTransaction
from durable_django.models.workflow import Workflow

_SHORTEST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.25


def call(registered: Registered, args: tuple[Any, ...], kwargs: dict[str, Any], options: StartOptions) -> Any:
    """
    Run a workflow in this thread and return its result.

    It is claimed in the statement that inserts it. If it has to wait (a long retry), the thread blocks and claims it
    again when it is due, unless a worker was faster. Under a TestCase it runs on the test's connection.
    """
    if options.debounce is not None:
        message = f"{registered.name} with debounce= starts later, if not moved again: use .start(), not a plain call."
        raise ValueError(message)
    alias = context.alias_of_workflows()
    with _ownership(registered, alias) as owner:
        # One that is to run later is not claimed by its own start: it is waited for like one that suspended.
        is_now = options.delay_seconds is None and options.run_after is None
        started = starting.start(registered, args, kwargs, options, worker=owner.worker_id if is_now else "")
        if started.is_new and is_now:
            attempts.attempt(Workflow.objects.using(alias).get(pk=started.id), owner, alias)
    handle = WorkflowHandle[Any](started.id)
    while not handle.refresh().workflow.is_finished:
        # Anew after each lost lease: nothing may be claimed under an id that others take for dead.
        with _ownership(registered, alias) as owner:
            Workflow.objects.using(alias).filter(pk=handle.id).recover(is_immediate=True)
            _run_until_finished(handle, owner, alias)
    return handles.outcome_of(handle.workflow)


@contextmanager
def _ownership(registered: Registered, alias: str) -> Iterator[Ownership]:
    connection = connections[alias]
    if twins.is_in_testcase(connection):
        # A heartbeat would need a thread, which cannot see the rows of a TestCase; nobody can take over either.
        yield Ownership("testcase")
        return
    if connection.in_atomic_block:
        raise InsideTransaction(
            operation=f"A call of workflow {registered.name!r}",
            reason="its steps commit one by one, and a rollback of the block would undo them.",
            advice=f"Use {registered.func.__name__}.start(...), which joins the block; under ATOMIC_REQUESTS you may "
            "also put @transaction.non_atomic_requests on the view.",
        )
    with presence.present(alias) as owner:
        yield owner


def _run_until_finished(handle: WorkflowHandle[Any], owner: Ownership, alias: str) -> None:
    """
    Claim and run it whenever it is due and nobody has it, until it has ended or the owner's lease has.

    While it waits for workflows that nobody has, those are run: no worker need be there for a child.
    """
    pause = _SHORTEST_PAUSE_SECONDS
    rows = Workflow.objects.using(alias)
    while not handle.refresh().workflow.is_finished and not owner.has_passed():
        found = rows.claim_one(handle.id, owner.worker_id)
        found = found or rows.claim_descendant(handle.id, owner.worker_id, names=registry.workflows.names())
        for workflow in found:
            attempts.attempt(workflow, owner, alias)
            pause = _SHORTEST_PAUSE_SECONDS
        if not found:
            handles.require_may_wait(f"A call of workflow {handle.workflow.name!r} ({handle.id})")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
