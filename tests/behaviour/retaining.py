"""What the tests of retention share: what is left of workflows, sweeps some days later, many that have ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from durable_django.models import Event, EventChange, Message, Step, StreamEntry, Workflow, retention
from durable_django.testing import travel
from tests.behaviour.crowds import id_of, ids_after, milliseconds_after, multiply, rows

OWNED = (Step, Message, Event, EventChange, StreamEntry)


def sweep(days: float = 0) -> int:
    """Sweep as workers do, so many days later. Return how many workflows were pruned, or deleted."""
    with travel(days=days):
        return sum(retention.sweep(Workflow.objects.all()))


def left_of(workflow_id: str) -> dict[str, int]:
    """Return how many rows of each kind a workflow owns, without the kinds that it has none of."""
    counts = {model.__name__: model.objects.filter(workflow=workflow_id).count() for model in OWNED}
    return {name: count for name, count in counts.items() if count}


def whole(*handles: Any) -> list[bool]:
    """Return of each whether nothing of it was pruned."""
    found = Workflow.objects.in_bulk([handle.id for handle in handles])
    return [handle.id in found and found[handle.id].pruned_at is None for handle in handles]


def ended(count: int, *, steps: int = 1, at: datetime | None = None, **columns: Any) -> list[str]:
    """Make many workflows that have ended, one each millisecond, with steps. Return their ids, in order."""
    first = Workflow.objects.count()
    began = (at or timezone.now()) - timedelta(milliseconds=count)
    (row,) = rows(1, finished_at=began, **{"status": "succeeded", "attempt": 1, "output": "1", **columns})
    Workflow.objects.bulk_create([row])
    multiply(row, count, id=ids_after(first), line=f"{first} + numbers.number", finished_at=milliseconds_after(began))
    for position in range(1, steps + 1):
        step = Step(workflow_id=row.pk, position=position, name="x", attempt=1, output="1", finished_at=began)
        Step.objects.bulk_create([step])
        multiply(step, count, workflow_id=ids_after(first), finished_at=milliseconds_after(began))
    return [id_of(number) for number in range(first, first + count)]
