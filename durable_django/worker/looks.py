"""The look: one statement that tells a worker's loop everything it must know to decide what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Subquery
from django.db.models.sql import Query

from durable_django.base.clock import SecondsUntil
from durable_django.models.compiled import Statement
from durable_django.models.queue import Queue
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
    suspect_queues       with a workflow that must run alone
    seconds_to_timer     until the next workflow becomes due; at most 0 if one is, None if there is none
    seconds_to_schedule  the same of schedules
    """

    lines: dict[Line, str] = field(default_factory=dict)
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
    def has_work(self) -> bool:
        """Whether something can be claimed or promoted now."""
        return bool(self.lines or self.suspect_queues or self.is_timer_due)


def look(alias: str, only: Sequence[str]) -> Look:
    """
    Look once: a row for each queue, in one statement of index probes, whatever the size of the tables.

    only  the queues to claim from; empty for all
    """
    found = _LOOK.fetch(alias, {})
    if not found:
        return Look()
    served = [row for row in found if not row[1] and (not only or row[0] in only)]
    _name, _paused, _for_threads, _for_tasks, _suspect, seconds_to_timer, has_orphans, has_overdue, to_schedule = found[
        0
    ]
    return Look(
        lines={
            Line(row[0], is_async): name
            for row in served
            for is_async, name in ((False, row[2]), (True, row[3]))
            if name is not None
        },
        suspect_queues=tuple(row[0] for row in served if row[4] is not None),
        seconds_to_timer=seconds_to_timer,
        has_orphans=has_orphans,
        has_overdue=has_overdue,
        seconds_to_schedule=to_schedule,
    )


def _query(alias: str) -> Query:
    workflows = Workflow.objects.using(alias)
    ready = workflows.runnable(OuterRef("name"))
    rows = Queue.objects.using(alias).values_list(
        "name",
        "is_paused",
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
