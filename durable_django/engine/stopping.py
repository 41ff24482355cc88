"""Async workflows that this process may not go on with are interrupted where they are, in the middle of a step."""

from __future__ import annotations

from durable_django.base.interrupts import LeaseLost, LetGo
from durable_django.engine.ownership import Ownership
from durable_django.models.status import Status
from durable_django.models.workflow import Workflow


def interrupt_stopped(owner: Ownership, alias: str) -> None:
    """Interrupt those that somebody took out of RUNNING; one query, none without async workflows."""
    boards = dict(owner.boards)
    if not boards:
        return
    stopped = Workflow.objects.using(alias).filter(pk__in=boards, worker=owner.worker_id).exclude(status=Status.RUNNING)
    for workflow_id in stopped.values_list("pk", flat=True):
        boards[workflow_id].end_soon(LetGo())


def interrupt_lost(owner: Ownership) -> None:
    """Interrupt all that ran under a lease that was lost: others take them over."""
    for board in list(owner.boards.values()):
        board.end_soon(LeaseLost())
