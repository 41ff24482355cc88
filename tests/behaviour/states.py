"""Workflows in each of the seven states, made by what makes them in real life."""

from __future__ import annotations

from typing import Any

from durable_django import Retry, WorkflowHandle, step, workflow
from durable_django.base import registry
from durable_django.models import Worker, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting
from tests.sample.promises import acts
from tests.sample.workflows import mark

STATES = ("queued", "running", "waiting", "paused", "succeeded", "failed", "cancelled")
#: States by what they are made for: a verb of operators changes them, or finds nothing to do.
LIVE = STATES[:4]
ENDED = STATES[4:]


@step(retry=Retry(max_attempts=2, base_seconds=1000, jitter=0))
def postponed() -> None:
    raise OSError("later")


@workflow
def postpones() -> None:
    """It waits for its step's second try."""
    mark("before")
    postponed()


def workflow_in(state: str) -> WorkflowHandle[Any]:
    """Return a workflow in that state. A running one is held by a living worker named "w"."""
    return _MAKERS[state]()


def claim(handle: WorkflowHandle[Any], worker: str = "w") -> Workflow:
    """Give a queued workflow to a worker, as a worker's loop does. Return the row as it is now."""
    if not Worker.objects.filter(pk=worker).exists():
        Worker.objects.register(worker, 3600, hostname="test", pid=0)
    queue = Workflow.objects.get(pk=handle.id).queue
    found = Workflow.objects.claim(worker, queue, 100, names=registry.workflows.names())
    return next(each for each in found if each.pk == handle.id)


def _running() -> WorkflowHandle[Any]:
    handle = acts.start()
    claim(handle)
    return handle


def _waiting() -> WorkflowHandle[Any]:
    handle = postpones.start()
    run_until_idle()
    return handle


def _paused() -> WorkflowHandle[Any]:
    handle = acts.start()
    handle.workflow.pause()
    return handle


def _cancelled() -> WorkflowHandle[Any]:
    handle = acts.start()
    handle.workflow.cancel("by hand")
    return handle


def _failed() -> WorkflowHandle[Any]:
    return _run(lambda: 1 / 0)


def _succeeded() -> WorkflowHandle[Any]:
    return _run(lambda: None)


def _run(act: Any) -> WorkflowHandle[Any]:
    handle = acts.start()
    with acting(act):
        run_until_idle()
    return handle


_MAKERS = {
    "queued": acts.start,
    "running": _running,
    "waiting": _waiting,
    "paused": _paused,
    "succeeded": _succeeded,
    "failed": _failed,
    "cancelled": _cancelled,
}
