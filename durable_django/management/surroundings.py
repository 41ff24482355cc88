"""What one workflow has around it: children and forks, mail, events and streams; each bounded, each by an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Left, Length

from durable_django.management.history import Stored
from durable_django.models.event import Event
from durable_django.models.message import Message
from durable_django.models.status import Status
from durable_django.models.stream import StreamEntry
from durable_django.models.workflow import Workflow

#: Of each kind, the newest ones.
MOST_RELATIVES = 100
MOST_MESSAGES = 50
MOST_PUBLISHED = 100
#: Longer values are not read (characters).
MOST_OF_VALUE = 5_000
_RELATIVE = (
    "id", "name", "status", "queue", "attempt", "created_at", "started_at", "finished_at", "parent_id",
    "forked_from_id",
)  # fmt: skip


@dataclass(frozen=True)
class Published:
    """
    An event, or a stream with its last entry.

    row      the number of the row that holds the value
    kind     event or stream
    key      what it is published under
    entries  of a stream: how many it has
    """

    row: int
    kind: str
    key: str
    entries: int
    at: datetime
    value: Stored

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come: the entry that closes a stream has no value."""
        return self.value.head is None


@dataclass(frozen=True)
class Surroundings:
    """
    What was found, in the order of time, and how much of each kind there is.

    live_children  children that have not ended
    """

    children: Sequence[Workflow]
    forks: Sequence[Workflow]
    received: Sequence[Message]
    sent: Sequence[Message]
    published: Sequence[Published]
    children_count: int
    live_children: int
    forks_count: int
    received_count: int
    sent_count: int


def counted(rows: QuerySet[Workflow]) -> QuerySet[Workflow]:
    """Return the rows with how much each has around it, so that look() asks only for what there is."""
    children = Workflow.objects.filter(parent=OuterRef("pk"))
    counts = {
        "children_count": _count(children, "parent"),
        "live_children": _count(children.filter(status__in=Status.live()), "parent"),
        "forks_count": _count(Workflow.objects.filter(forked_from=OuterRef("pk")), "forked_from"),
        "received_count": _count(Message.objects.filter(workflow=OuterRef("pk")), "workflow"),
        "sent_count": _count(Message.objects.filter(sender=OuterRef("pk"), sender__gt=""), "sender"),
    }
    found: QuerySet[Workflow] = rows.annotate(**counts)
    return found


def look(row: Workflow) -> Surroundings:
    """Return what a row that counted() has read has around it: at most four queries, fewer if there is less."""
    alias, facts = row._state.db or "default", vars(row)
    counts = {name: facts[name] for name in _COUNTS}
    relatives = _relatives(
        alias, row.pk, has_children=bool(counts["children_count"]), has_forks=bool(counts["forks_count"])
    )
    mail = Message.objects.using(alias)
    return Surroundings(
        children=[each for each in relatives if each.parent_id == row.pk],
        forks=[each for each in relatives if each.forked_from_id == row.pk],
        received=_letters(mail.filter(workflow_id=row.pk)) if counts["received_count"] else [],
        sent=_letters(mail.sent_by(row.pk)) if counts["sent_count"] else [],
        # Nothing is published before the first attempt, but by a fork, which has copies.
        published=_published(alias, row.pk) if row.attempt or row.forked_from_id else [],
        **counts,
    )


_COUNTS = ("children_count", "live_children", "forks_count", "received_count", "sent_count")


def _count(rows: QuerySet[Any], by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def _relatives(alias: str, workflow_id: str, *, has_children: bool, has_forks: bool) -> list[Workflow]:
    """Return children and forks (durable_workflow_parent, durable_workflow_fork), the newest if there are too many."""
    wanted = [Q(parent=workflow_id)] * has_children + [Q(forked_from=workflow_id)] * has_forks
    if not wanted:
        return []
    # Not by created_at: the index on it would be walked from its end, past everything else.
    rows = Workflow.objects.using(alias).filter(Q(*wanted, _connector=Q.OR)).order_by("-line")
    return list(rows.only(*_RELATIVE)[:MOST_RELATIVES])[::-1]


def _letters(rows: QuerySet[Message]) -> list[Any]:
    bounded = rows.defer("value").annotate(head=Left("value", MOST_OF_VALUE), length=Length("value"))
    return list(bounded.order_by("-pk")[:MOST_MESSAGES])[::-1]


def stored_value(letter: Any) -> Stored:
    """Return the value of a message as it was read."""
    return Stored(letter.head, letter.length)


def _published(alias: str, workflow_id: str) -> list[Published]:
    """Return events and the last entry of each stream (durable_event_key, durable_stream_offset)."""
    entries = StreamEntry.objects.using(alias).filter(workflow_id=workflow_id)
    last = entries.order_by().values("key").annotate(last=Max("pk")).values("last")
    streams = _columns(StreamEntry.objects.using(alias).filter(pk__in=last), "stream", F("offset"), "written_at")
    nothing = Value(0, output_field=BigIntegerField())
    events = _columns(Event.objects.using(alias).filter(workflow_id=workflow_id), "event", nothing, "set_at")
    found = events.union(streams, all=True).order_by("kind", "key")[:MOST_PUBLISHED]
    return [_publication(*columns) for columns in found]


def _columns(rows: Any, kind: str, offset: Any, at: str) -> Any:
    named = rows.order_by().annotate(
        kind=Value(kind, output_field=CharField()),
        number=offset,
        at=F(at),
        head=Left("value", MOST_OF_VALUE),
        length=Length("value"),
    )
    return named.values_list("pk", "kind", "key", "number", "at", "head", "length")


def _publication(  # noqa: PLR0913, PLR0917 - the columns of one row
    row: int, kind: str, key: str, offset: int, at: datetime, head: str | None, length: int | None
) -> Published:
    # Offsets count from 0; the entry that closes a stream is none.
    entries = 0 if kind == "event" else offset + (head is not None)
    return Published(row, kind, key, entries, at, Stored(head, length))
