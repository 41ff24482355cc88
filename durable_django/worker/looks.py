"""The look: one statement that tells a worker's loop everything it must know to decide what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Subquery
from django.db.models.sql import Query

from durable_django.base.clock import SecondsUntil
from durable_django.models.compiled import Statement
from durable_django.models.queue import Queue, unlimited
from durable_django.models.schedule import Schedule
from durable_django.models.workflow import Workflow


class Line(NamedTuple):
    """The workflows of one queue that are for threads, or for an event loop."""

    queue: str
    is_async: bool


@dataclass(frozen=True)
class Look:
    """
    What there is to do.

    lines                of runnable workflows, each with the name of the first one
    limited              queues whose claims count slots and starts
    suspect_queues       with a workflow that must run alone
    seconds_to_timer     until the next workflow becomes due; at most 0 if one is, None if there is none
    seconds_to_schedule  the same of schedules
    """

    lines: dict[Line, str] = field(default_factory=dict)
    limited: frozenset[str] = frozenset()
    suspect_queues: tuple[str, ...] = ()
    seconds_to_timer: float | None = None
    has_orphans: bool = False
    has_overdue: bool = False
    seconds_to_schedule: float | None = None

    @property
    def is_timer_due(self) -> bool:
        """Whether a workflow waits to be promoted."""
        return self.seconds_to_timer is not None and self.seconds_to_timer <= 0

    @property
    def has_only_lines(self) -> bool:
        """Whether nothing but what the lines hold can be claimed now."""
        return not (self.suspect_queues or self.is_timer_due)

    @property
    def has_work(self) -> bool:
        """Whether something can be claimed or promoted now."""
        return bool(self.lines or self.suspect_queues or self.is_timer_due)


def look(alias: str, serves: Callable[[str], bool]) -> Look:
    """
    Look once: a row for each queue, in one statement of index probes, whatever the size of the tables.

    serves  whether to claim from a queue of that name
    """
    found = _LOOK.fetch(alias, {})
    if not found:
        return Look()
    rows = [_Row(*row) for row in found]
    served = [row for row in rows if not row.is_paused and serves(row.queue)]
    first = rows[0]
    return Look(
        lines={
            Line(row.queue, is_async): name
            for row in served
            for is_async, name in ((False, row.for_threads), (True, row.for_tasks))
            if name is not None
        },
        limited=frozenset(row.queue for row in served if row.is_limited),
        suspect_queues=tuple(row.queue for row in served if row.suspect is not None),
        seconds_to_timer=first.seconds_to_timer,
        has_orphans=first.has_orphans,
        has_overdue=first.has_overdue,
        seconds_to_schedule=first.seconds_to_schedule,
    )


class _Row(NamedTuple):
    """What the statement says of one queue; the last four columns are the same for all."""

    queue: str
    is_paused: bool
    is_limited: bool
    for_threads: str | None
    for_tasks: str | None
    suspect: int | None
    seconds_to_timer: float | None
    has_orphans: bool
    has_overdue: bool
    seconds_to_schedule: float | None


def _query(alias: str) -> Query:
    workflows = Workflow.objects.using(alias)
    ready = workflows.runnable(OuterRef("name"))
    rows = Queue.objects.using(alias).values_list(
        "name",
        "is_paused",
        ExpressionWrapper(~unlimited(), models.BooleanField()),
        # In order, not Exists(): PostgreSQL would rather read the table from its beginning, where a million finished
        # rows may stand before the first runnable one.
        Subquery(ready.of_kind(is_async=False).unsuspected().values("name")[:1]),
        Subquery(ready.of_kind(is_async=True).unsuspected().values("name")[:1]),
        Subquery(ready.suspects().order_by("line").values("line")[:1]),
        Subquery(workflows.timed().values_list(SecondsUntil("run_after"))[:1]),
        Exists(workflows.orphaned()),
        Exists(workflows.overdue()),
        Subquery(Schedule.objects.using(alias).planned().values_list(SecondsUntil("next_at"))[:1]),
    )
    return rows.query


_LOOK = Statement(_query)
