"""Standing in line: how many workflows of a queue are runnable, and since when, counted up to a bound."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Min
from django.db.models.functions import Coalesce

from durable_django.base.clock import SecondsUntil
from durable_django.models.workflow import Workflow

#: The moment since which a runnable workflow stands in line.
SINCE = Coalesce("runnable_at", "created_at")


@dataclass(frozen=True)
class Standing:
    """How many there are, and for how long the oldest of those has been runnable (seconds; None if there is none)."""

    count: int
    oldest_seconds: float | None


def standing(alias: str, queue: str, most: int) -> Standing:
    """
    Return what stands in line in a queue (index durable_workflow_runnable).

    most  the next so many of each kind are counted, and one more
    """
    found = [_of_kind(alias, queue, is_async=is_async, most=most) for is_async in (False, True)]
    ages = [each.oldest_seconds for each in found if each.oldest_seconds is not None]
    return Standing(sum(each.count for each in found), max(0.0, *ages) if ages else None)


def _of_kind(alias: str, queue: str, *, is_async: bool, most: int) -> Standing:
    """Count in the order of turns, which is that of the index for each kind: otherwise all of them would be sorted."""
    runnable = Workflow.objects.using(alias).runnable(queue).of_kind(is_async)
    counted = runnable[: most + 1].aggregate(count=Count("pk"), oldest=Min(SecondsUntil(SINCE)))
    return Standing(counted["count"], None if counted["oldest"] is None else -counted["oldest"])
