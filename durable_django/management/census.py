"""How many workflows there are in each state, and how many need a look: counted up to a bound, in one query."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from django.db.models import Q

from durable_django.base.clock import Later
from durable_django.engine import context
from durable_django.management.counting import Count, Counted
from durable_django.models.claims import codeless
from durable_django.models.fields import Literal
from durable_django.models.status import Status
from durable_django.models.workflow import Workflow

#: A failure is news for so long (seconds).
RECENT_SECONDS = 86_400.0

#: Where each state is found, in parts that have an index each: of all the others it would read the whole table.
PARTS: dict[str, tuple[Q, ...]] = {
    "queued": (
        Q(status=Literal("queued"), run_after__isnull=True, worker__isnull=True),
        Q(status=Literal("queued"), run_after__isnull=False),
        Q(status=Literal("queued"), run_after__isnull=True, worker__isnull=False),
    ),
    "running": (Q(status=Literal("running"), worker__isnull=False),),
    "waiting": (Q(status=Literal("waiting"), waiting_for__gt=""),),
    "paused": (Q(status=Literal("paused")),),
    "succeeded": (Q(status=Literal("succeeded"), finished_at__isnull=False),),
    "failed": (Q(status=Literal("failed"), finished_at__isnull=False),),
    "cancelled": (Q(status=Literal("cancelled"), finished_at__isnull=False),),
}


@dataclass(frozen=True)
class Census:
    """
    What there is.

    by_status     every status with its count
    failed_lately failures of the last day
    stalled       held by a worker that is gone
    codeless      put aside because no live worker knows their code
    """

    by_status: dict[str, Count]
    failed_lately: Count
    stalled: Count
    codeless: Count


def take() -> Census:
    """Count them: one query, whose parts stop at MOST_COUNTED each."""
    rows = Workflow.objects.using(context.alias_of_workflows())
    wanted: list[Any] = [_sum_of(rows, status) for status in Status.values]
    wanted += [
        Counted(rows.filter(PARTS["failed"][0], finished_at__gte=Later(-RECENT_SECONDS)).order_by()),
        Counted(rows.orphaned().order_by()),
        Counted(rows.filter(codeless(rows.db)).order_by()),
    ]
    # A row to stand on: the newest is found at once.
    found = rows.order_by("-created_at").values_list(*wanted).first() or [0] * len(wanted)
    counts = [Count.up_to(number) for number in found]
    states = dict(zip(Status.values, counts, strict=False))
    return Census(states, *counts[len(states) :])


def _sum_of(rows: Any, status: str) -> Any:
    # In the order of the index, so that it is used for what is frequent as well: the table may begin with dead rows.
    order = ("-finished_at",) if status in Status.terminal() else ()
    return reduce(add, [Counted(rows.filter(part).order_by(*order)) for part in PARTS[status]])
