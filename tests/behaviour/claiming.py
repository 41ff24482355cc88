"""What the tests of limits share: claims as a worker makes them, and the ways in which what was claimed ends."""

from __future__ import annotations

from typing import Any

from durable_django.base import registry
from durable_django.models import Queue, Worker, Workflow, limited_claims
from durable_django.models.claims import Wanted
from durable_django.models.limited_claims import Claimed
from durable_django.models.room import Round

SOON = 3600.0


def sync() -> None:
    """Give every declared queue its row and its limits, as the boot of a worker does."""
    Queue.objects.sync(registry.queues.declared())


def claim(queue: str, limit: int = 8, *, worker: str = "w", is_async: bool | None = False) -> list[Workflow]:
    """Claim from a queue with limits. Return what was claimed."""
    return claimed(queue, limit, worker=worker, is_async=is_async).workflows


def claimed(
    queue: str, limit: int = 8, *, worker: str = "w", is_async: bool | None = False, round_: Round | None = None
) -> Claimed:
    """Claim from a queue with limits. Return all that the claim says."""
    if not Worker.objects.filter(pk=worker).exists():
        Worker.objects.register(worker, SOON, hostname="test", pid=0)
    wanted = Wanted(queue, limit, tuple(registry.workflows.names()), is_async=is_async)
    return limited_claims.claim("default", worker, wanted, round_)


def ids(workflows: Any) -> list[str]:
    """Return the ids, in the order of the claim."""
    return [workflow.pk for workflow in workflows]


def start_ids(definition: Any, *names: str, **options: Any) -> None:
    """Start a workflow under each of these ids, in this order."""
    for name in names:
        definition.using(id=name, **options).start(name)
