"""
Claims from queues with limits: what holds a slot and what has started lately is counted from rows, under one lock.

The lock is the queue's row, so that claims from one queue come one after the other; for the disk each waits behind its
lock, beside the next one. Nothing is kept that could drift:
a slot is a row whose worker is set, a start a QueueStart row, and both are counted anew for every claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models
from django.db.models import Count

from durable_django.base import limits
from durable_django.base.clock import Now, SecondsUntil
from durable_django.base.limits import Limits
from durable_django.models import claims, partitions, tuning
from durable_django.models.claims import Wanted
from durable_django.models.compiled import Slot, Statement, update_query
from durable_django.models.queue import Queue, QueueStart
from durable_django.models.room import Room, Round
from durable_django.models.turns import short_transaction
from durable_django.models.worker import Worker

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow


class Claimed(NamedTuple):
    """
    What a claim found.

    is_at_limit  the limits left no room for all that were wanted
    seconds      until the rate of the queue has room again, if it had none; else None
    is_at_rest   nothing of the queue runs, so that no end makes room
    round        there are more partitions than one claim looks at: the next claim goes on with this
    """

    workflows: list[Workflow]
    is_at_limit: bool = False
    seconds: float | None = None
    is_at_rest: bool = False
    round: Round | None = None


def claim(alias: str, worker_id: str, wanted: Wanted, round_: Round | None = None) -> Claimed:
    """
    Give workflows of a queue to a worker, as many as its limits allow; none of a paused queue.

    round_  what the last claim of the same line has said
    """
    with short_transaction(alias):
        queue = _lock(alias, wanted.queue)
        if queue is None:
            return Claimed([])
        room = Room(queue.limits, wanted.limit, round_)
        _fill(room, alias, worker_id, queue)
        found = _take(alias, worker_id, wanted, queue, room) if room.slots else []
        if queue.limits.has_rates:
            _note_starts(alias, queue.name, found)
        seconds = _seconds_until_room(alias, queue) if room.starts == 0 else None
    if found:
        tuning.make_durable(alias, queue.name)
    if not found and not room.was_limited:
        claims.put_aside(alias, queue.name, wanted.names)
    return Claimed(found, room.was_limited, seconds, room.is_at_rest, room.round)


class _Queue(NamedTuple):
    name: str
    limits: Limits
    served_partition: str


def _lock(alias: str, name: str) -> _Queue | None:
    found = _LOCK.fetch(alias, {"name": name})
    if not found:
        return None
    served, *columns = found[0]
    return _Queue(name, Limits(**dict(zip(limits.NAMES, columns, strict=True))), served)


def _fill(room: Room, alias: str, worker_id: str, queue: _Queue) -> None:
    """Count what holds slots, and what has started in the windows of the rates."""
    for worker, partition, count in _HELD.fetch(alias, {"queue": queue.name}):
        room.occupy(partition or "", count, is_mine=worker == worker_id)
    starts = QueueStart.objects.using(alias)
    if queue.limits.rate_seconds is not None:
        room.note_starts(starts.within(queue.name, queue.limits.rate_seconds).count())
    if queue.limits.partition_rate_seconds is not None:
        room.note_partition_starts(starts.within(queue.name, queue.limits.partition_rate_seconds).by_partition())


def _take(alias: str, worker_id: str, wanted: Wanted, queue: _Queue, room: Room) -> list[Workflow]:
    if queue.limits.is_partitioned:
        chosen = partitions.choose(alias, wanted, room, queue.served_partition)
        if chosen.served != queue.served_partition:
            _SERVE.execute(alias, {"name": queue.name, "served": chosen.served})
        return claims.take_chosen(alias, worker_id, chosen.ids)
    if not queue.limits.has_rates:
        return claims.take(alias, worker_id, wanted._replace(limit=room.slots))
    # What goes on is no start, and does not wait for the rate.
    found = claims.take(alias, worker_id, wanted._replace(limit=room.slots, has_begun=True))
    left = min(room.slots - len(found), room.starts)
    if left > 0 and not wanted.is_alone:
        found += claims.take(alias, worker_id, wanted._replace(limit=left, has_begun=False))
    return found


def _note_starts(alias: str, queue: str, found: list[Workflow]) -> None:
    """Write down the first claims of workflows, which neither a cancellation nor retention takes back."""
    starts = [
        QueueStart(queue=queue, partition_key=workflow.partition_key or "", workflow=workflow.pk, started_at=Now())
        for workflow in found
        if workflow.attempt == 1
    ]
    if starts:
        QueueStart.objects.using(alias).bulk_create(starts)


def _seconds_until_room(alias: str, queue: _Queue) -> float:
    """Return when enough starts have left the window for one more."""
    limit, seconds = queue.limits.rate_limit or 0, queue.limits.rate_seconds or 0.0
    latest = QueueStart.objects.using(alias).within(queue.name, seconds).order_by("-started_at")
    ages = list(latest.values_list(SecondsUntil("started_at"), flat=True)[limit - 1 : limit])
    return max(0.0, seconds + ages[0]) if ages else 0.0


def _lock_query(alias: str) -> Any:
    rows = Queue.objects.using(alias).filter(pk=Slot("name", models.CharField()), is_paused=False)
    rows = rows.filter(*tuning.unhurried(alias), *tuning.by_index(alias))
    return rows.select_for_update(no_key=True).values_list("served_partition", *limits.NAMES).query


def _held_query(alias: str) -> Any:
    """Rows whose worker is set, also of those that were paused or cancelled and have not let go yet."""
    callers = Worker.objects.using(alias).filter(takes_slots=False)
    held = claims.workflows(alias).filter(queue=Slot("queue", models.CharField()), worker__isnull=False)
    return (
        held.exclude(worker__in=callers.values("pk")).values_list("worker", "partition_key").annotate(Count("pk")).query
    )


def _serve_query(alias: str) -> Any:
    rows = Queue.objects.using(alias).filter(pk=Slot("name", models.CharField()))
    return update_query(rows, {"served_partition": Slot("served", models.CharField())})


_LOCK = Statement(_lock_query)
_SERVE = Statement(_serve_query)
_HELD = Statement(_held_query)
