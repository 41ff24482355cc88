"""What became of the last runs of schedules, as read for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import CharField, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.utils.dateparse import parse_datetime

from durable_django.engine import context
from durable_django.models.workflow import Workflow

#: Schedules that one statement asks about.
_AT_ONCE = 100


class Outcome(NamedTuple):
    """One run: the id of the workflow, its status, and the tick that has started it; None if the id tells none."""

    workflow_id: str
    status: str
    tick: datetime | None


def last_runs(names: Sequence[str], most: int) -> dict[str, list[Outcome]]:
    """
    Return the last runs of each schedule, the oldest first.

    One query for a hundred schedules: each part of it reads the end of a range of the primary key.
    """
    found: dict[str, list[Outcome]] = {}
    rows = Workflow.objects.using(context.alias_of_workflows())
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        parts = [_Lines(rows.of_schedule(name).order_by("-pk")[:most]) for name in some]
        # A row to stand on: the newest is found at once.
        lines: Any = rows.order_by("-created_at").values_list(*parts).first() or [None] * len(some)
        found |= {
            name: sorted(map(_outcome, (text or "").splitlines())) for name, text in zip(some, lines, strict=True)
        }
    return found


class _Lines(Subquery):
    """Status and id of each row, a line for each."""

    template = "(SELECT STRING_AGG(outcome, CHR(10)) FROM (%(subquery)s) AS outcomes)"
    output_field = CharField()

    def __init__(self, rows: QuerySet[Workflow]) -> None:
        super().__init__(rows.values(outcome=Concat("status", Value(" "), "pk", output_field=CharField())))

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        template = "(SELECT GROUP_CONCAT(outcome, CHAR(10)) FROM (%(subquery)s) AS outcomes)"
        return self.as_sql(compiler, connection, template=template)


def _outcome(line: str) -> Outcome:
    status, _blank, workflow_id = line.partition(" ")
    return Outcome(workflow_id, status, tick_of(workflow_id))


def tick_of(workflow_id: str) -> datetime | None:
    """Return the tick that the id of a workflow of a schedule ends with; None if it tells none."""
    # A name may have colons, a tick has two.
    try:
        return parse_datetime(":".join(workflow_id.split(":")[-3:]))
    except ValueError:
        return None
