"""
Partitions of a queue are served in turn: the one with a hundred thousand workflows does not hold up one with a single.

Their order is that of their keys. A claim goes on behind the partition that was served last, which the queue's row
remembers, and finds the next one by one probe of the index, however many workflows stand in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from django.db import models
from django.db.models import F

from durable_django.models import claims
from durable_django.models.claims import Wanted
from durable_django.models.compiled import Slot, Statement
from durable_django.models.room import Room, Round

#: Partitions that one claim looks at: meanwhile nobody else claims from the queue. The next claim goes on behind.
_MOST_PROBES = 200
#: Partitions that one statement finds. More would make it longer than what the driver keeps the analysis of (4,096).
_MOST_AT_ONCE = 2
#: How often it looks for workflows that go on, leaving out partitions that turned out to be at their limit.
_MOST_LOOKS = 20


class Chosen(NamedTuple):
    """Whom to claim, in turn, and the key of the partition that was served last."""

    ids: list[str]
    served: str


def choose(alias: str, wanted: Wanted, room: Room, served: str) -> Chosen:
    """Choose as many as there is room for, from as many partitions as possible."""
    ids = _begun(alias, wanted, room) if room.has_rates else []
    if wanted.is_alone and room.has_rates:
        return Chosen(ids, served)
    fresh = wanted._replace(has_begun=False) if room.has_rates else wanted
    turn = _Turn(alias, fresh, room, served)
    firsts = turn.take_firsts()
    return Chosen([*ids, *firsts.values(), *_more(alias, fresh, room, list(firsts))], turn.served)


def _begun(alias: str, wanted: Wanted, room: Room) -> list[str]:
    """Choose from those that go on, which are no starts and do not wait for a rate."""
    ready = claims.ready(claims.workflows(alias), wanted._replace(has_begun=True))
    chosen: list[str] = []
    full: set[str] = set()
    for _number in range(_MOST_LOOKS):
        waiting = ready.exclude(pk__in=chosen).exclude(partition_key__in=full)
        found = list(waiting.values_list("pk", "partition_key")[:_MOST_PROBES])
        for workflow_id, key in found:
            if room.take(key or "", is_start=False):
                chosen.append(workflow_id)
            else:
                full.add(key or "")
        # A partition at its limit may have more of them than one look sees.
        if len(found) < _MOST_PROBES or room.slots <= 0:
            break
    return chosen


class _Turn:
    """
    One walk through the partitions: from the one that was served last round to it again.

    served  key of the partition at which it has come to an end
    """

    def __init__(self, alias: str, wanted: Wanted, room: Room, served: str) -> None:
        self.served = served
        self._alias = alias
        self._wanted = wanted
        self._room = room
        self._is_under_way = False

    def take_firsts(self) -> dict[str, str]:
        """Take the first workflow of each partition that has a place. Return them by key."""
        chosen: dict[str, str] = {}
        for key, workflow_id in self._walk():
            self.served = key
            if self._room.take(key, is_start=self._room.has_rates):
                chosen[key] = workflow_id
        return chosen

    def _walk(self) -> Iterator[tuple[str, str]]:
        round_, self._room.round = self._room.round, None
        start = round_.began if round_ else self.served
        until = start if round_ and round_.has_turned else None
        found = self._next(self.served, until=until)
        for _number in range(_MOST_PROBES // _MOST_AT_ONCE):
            if not found and until is None:
                until, found = start, self._next("", is_included=True, until=start)
            if not found:
                return
            for partition in found:
                yield partition
                if self._room.slots <= 0:
                    return
            found = self._next(found[-1][0], until=until)
        if found:
            self._room.round = Round(start, until is not None)

    def _next(self, behind: str, *, is_included: bool = False, until: str | None = None) -> list[tuple[str, str]]:
        """
        Return key and first workflow of the next partitions, each by one probe (index durable_workflow_partition).

        until  the last key that they may have, as the database orders them: not every collation is that of Python
        """
        # Behind one that has no place there are often more.
        most = _MOST_AT_ONCE if self._is_under_way else max(1, min(self._room.slots, _MOST_AT_ONCE))
        self._is_under_way = True
        wanted = self._wanted._replace(queue="", limit=most)
        statement = _next_partitions(wanted, is_included=is_included, is_bounded=until is not None)
        return statement.fetch(self._alias, {"queue": self._wanted.queue, "behind": behind, "until": until})


def _more(alias: str, wanted: Wanted, room: Room, keys: list[str]) -> list[str]:
    """Take further workflows of partitions whose first one was taken, in turn, until there is no room."""
    waiting = {}
    for key in keys:
        if most := room.in_partition(key, is_start=room.has_rates):
            rows = claims.ready(claims.workflows(alias), wanted).filter(partition_key=key)
            waiting[key] = deque(rows.values_list("pk", flat=True)[1 : most + 1])
    chosen = []
    while waiting and room.slots > 0:
        for key in list(waiting):
            if waiting[key] and room.take(key, is_start=room.has_rates):
                chosen.append(waiting[key].popleft())
            else:
                del waiting[key]
    return chosen


@cache
def _next_partitions(wanted: Wanted, *, is_included: bool, is_bounded: bool) -> Statement:
    """Return the statement that goes from each partition to the next one, as many times as workflows are wanted."""

    def build(alias: str) -> Any:
        rows = claims.workflows(alias)
        ready = claims.ready(rows, wanted, Slot("queue", models.CharField()))
        ready = ready.order_by("partition_key", F("priority").desc(), "line")
        if is_bounded:
            ready = ready.filter(partition_key__lte=Slot("until", models.CharField()))
        behind: Slot | models.Subquery = Slot("behind", models.CharField())
        firsts = []
        for number in range(wanted.limit):
            has_bound = "gte" if is_included and not number else "gt"
            following = ready.filter(**{f"partition_key__{has_bound}": behind})
            firsts.append(models.Subquery(following.values("pk")[:1]))
            behind = models.Subquery(following.values("partition_key")[:1])
        return rows.filter(pk__in=firsts).order_by("partition_key").values_list("partition_key", "pk").query

    return Statement(build)
