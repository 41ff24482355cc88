"""Why workflows that could run are not claimed: the queue is paused, its limits leave no room, or nobody serves it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, Exists, F, Min, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from durable_django.base.clock import Later
from durable_django.management.reasons.wording import left, quoted, spoken_moment
from durable_django.models.claims import TAKEN_UP_SECONDS
from durable_django.models.queue import Queue, QueueStart
from durable_django.models.recovery import SUSPECT_RECOVERIES
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow


class Queues:
    """
    The queues of some workflows: one query for all their rows, and at most two more for what these leave open.

    Each is counted by an index: the workflows that workers hold, and the starts of the window.
    """

    def __init__(self, alias: str, rows: Collection[Workflow]) -> None:
        self._alias = alias
        self._workflows = rows
        names = {row.queue for row in rows}
        self._rows: dict[str, Any] = {row.name: row for row in _counted(alias, names)} if names else {}

    def is_paused(self, workflow: Workflow) -> bool:
        """Whether its queue is paused."""
        queue = self._rows.get(workflow.queue)
        return queue is not None and queue.is_paused

    def is_taken_up(self, workflow: Workflow, now: datetime) -> bool:
        """Whether it was put aside only for moments: by a worker of another project, while one of its own lives."""
        if workflow.run_after is None or workflow.run_after - now <= timedelta(seconds=TAKEN_UP_SECONDS):
            return False
        projects = {project for _names, project in self._serving}
        return len(projects) > 1 and workflow.application in projects

    def reason(self, workflow: Workflow, now: datetime) -> str:
        """Return why a workflow that is due is not claimed; if nothing keeps it, it waits for its turn."""
        queue = self._rows.get(workflow.queue)
        if queue is not None and (why := _slots(queue) or self._partition_slots(queue, workflow)):
            return why
        # What was claimed before is no start, and waits for none.
        if queue is not None and not workflow.attempt and (why := self._starts(queue, workflow, now)):
            return why
        return self._nobody(queue, workflow) or _alone(workflow) or _turn(workflow)

    def _partition_slots(self, queue: Any, workflow: Workflow) -> str:
        most = queue.partition_concurrency
        if not queue.is_partitioned or most is None or not queue.held:
            return ""
        held = self._held.get((queue.name, workflow.partition_key), 0)
        if held < most:
            return ""
        said = _("partition %(key)s of queue %(queue)s is at %(held)d of %(most)d")
        return said % {"key": quoted(workflow.partition_key), "queue": quoted(queue.name), "held": held, "most": most}

    def _starts(self, queue: Any, workflow: Workflow, now: datetime) -> str:
        if queue.rate_limit is not None and queue.started >= queue.rate_limit:
            said = _("rate %(most)d per %(seconds)g s of queue %(queue)s is used up until %(moment)s (%(left)s)")
            facts = _rate(queue.rate_limit, queue.rate_seconds, queue.oldest, now)
            return said % {"queue": quoted(queue.name), **facts}
        most, seconds = queue.partition_rate_limit, queue.partition_rate_seconds
        if not queue.is_partitioned or most is None or seconds is None:
            return ""
        count, oldest = self._starts_of(queue)[workflow.partition_key or ""]
        if count < most:
            return ""
        said = _(
            "rate %(most)d per %(seconds)g s of partition %(key)s of queue %(queue)s is used up "
            "until %(moment)s (%(left)s)"
        )
        names = {"key": quoted(workflow.partition_key), "queue": quoted(queue.name)}
        return said % {**names, **_rate(most, seconds, oldest, now)}

    def _nobody(self, queue: Any, workflow: Workflow) -> str:
        if queue is not None and queue.held:
            return ""
        if not self._serving:
            return _("no worker is alive: start one with manage.py worker")
        # A worker that names no queue serves all.
        if any(not names or workflow.queue in names for names, _project in self._serving):
            return ""
        return _("no live worker serves queue %(queue)s") % {"queue": quoted(workflow.queue)}

    @cached_property
    def _held(self) -> dict[tuple[str, str | None], int]:
        held = _held_rows(self._alias).filter(queue__in=list(self._rows))
        return {(queue, key): n for queue, key, n in held.values_list("queue", "partition_key", Count("pk"))}

    @cached_property
    def _serving(self) -> list[tuple[Any, str]]:
        """Queues and project of each worker that lives."""
        workers = Worker.objects.using(self._alias).alive().filter(takes_slots=True)
        return list(workers.values_list("queues", "application"))

    def _starts_of(self, queue: Any) -> dict[str, tuple[int, datetime | None]]:
        found = self.__dict__.setdefault("_starts_found", {})
        if queue.name not in found:
            keys = {row.partition_key or "" for row in self._workflows if row.queue == queue.name}
            starts = QueueStart.objects.using(self._alias).within(queue.name, queue.partition_rate_seconds)
            counted = starts.filter(partition_key__in=keys).order_by().values("partition_key")
            counts = counted.annotate(n=Count("pk"), oldest=Min("started_at"))
            nothing: dict[str, tuple[int, datetime | None]] = dict.fromkeys(keys, (0, None))
            found[queue.name] = nothing | {row["partition_key"]: (row["n"], row["oldest"]) for row in counts}
        return found[queue.name]  # type: ignore[no-any-return]


def _counted(alias: str, names: Collection[str]) -> QuerySet[Any]:
    """Return the rows with how many workflows hold a slot (index durable_workflow_owned), how many have started."""
    held = _held_rows(alias).filter(queue=OuterRef("name")).values("queue").annotate(n=Count("pk")).values("n")
    window = Later(F("window"))
    # The window of each queue is a column of its row.
    starts = QueueStart.objects.using(alias).filter(queue=OuterRef("name")).order_by()
    counted = starts.annotate(window=-1.0 * OuterRef("rate_seconds")).filter(started_at__gt=window).values("queue")
    return Queue.objects.using(alias).filter(pk__in=names).annotate(
        held=Coalesce(Subquery(held), Value(0)),
        started=Coalesce(Subquery(counted.annotate(n=Count("pk")).values("n")), Value(0)),
        oldest=Subquery(counted.annotate(oldest=Min("started_at")).values("oldest")),
    )  # fmt: skip


def _held_rows(alias: str) -> QuerySet[Any]:
    """Return what holds a slot (index durable_workflow_owned); plain calls hold none."""
    callers = Worker.objects.using(alias).filter(pk=OuterRef("worker"), takes_slots=False)
    return Workflow.objects.using(alias).filter(~Exists(callers), worker__isnull=False).order_by()


def _slots(queue: Any) -> str:
    most = queue.concurrency
    if most is None or queue.held < most:
        return ""
    said = _("queue %(queue)s is at %(held)d of %(most)d")
    return said % {"queue": quoted(queue.name), "held": queue.held, "most": most}


def _rate(most: int, seconds: float, oldest: datetime | None, now: datetime) -> dict[str, Any]:
    free_at = (oldest or now) + timedelta(seconds=seconds)
    return {"most": most, "seconds": seconds, "moment": spoken_moment(free_at), "left": left(free_at, now)}


def _alone(workflow: Workflow) -> str:
    if workflow.recoveries < SUSPECT_RECOVERIES:
        return ""
    said = _("waits to run alone in a worker, since %(lost)d workers in a row were lost with it")
    return said % {"lost": workflow.recoveries}


def _turn(workflow: Workflow) -> str:
    return _("waits for its turn in queue %(queue)s") % {"queue": quoted(workflow.queue)}
