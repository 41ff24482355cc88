"""What a claim of eight costs with a full table, beside one with nothing but the rows that are claimed."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.measurement import THREADS, Measurement, Row, Target

_TARGETS = (Target("postgresql", of="empty", at_most=1.5), Target("sqlite", of="empty", at_most=1.5))

MEASUREMENT = Measurement(
    name="claims",
    size=200,
    quick_size=100,
    sides=("durable", "empty"),
    fills={"durable": "full_table", "empty": "empty_table"},
    is_kept=True,
    rows=(
        Row("claim", "claim of 8 beside 1,000,000 finished, 100,000 queued, 100,000 future (ms)", _TARGETS),
        Row("look", "look for work on that table (ms)", _TARGETS),
    ),
)


def durable(size: int) -> dict[str, float]:
    """Claim as a worker does, in its statements and transactions, on the connection settings of a worker."""
    from durable_django.base import registry
    from durable_django.engine import context, leasing
    from durable_django.models import Workflow
    from durable_django.worker import boot, looks

    alias = context.alias_of_workflows()
    boot.prepare_connections(alias)
    owner = leasing.register(alias, name="bench")
    names = registry.workflows.names()
    rows = Workflow.objects.using(alias)

    def claim() -> None:
        assert len(rows.claim(owner.worker_id, "default", THREADS, names=names, is_async=False)) == THREADS

    # In turn, so that both see the table as it is during work.
    pairs = [
        (_milliseconds(lambda: looks.look(alias, lambda _queue: True)), _milliseconds(claim)) for _number in range(size)
    ]
    return {"look": median(pair[0] for pair in pairs), "claim": median(pair[1] for pair in pairs)}


def empty(size: int) -> dict[str, float]:
    return durable(size)


def _milliseconds(act: Callable[[], Any]) -> float:
    began_at = time.perf_counter()
    act()
    return (time.perf_counter() - began_at) * 1000
