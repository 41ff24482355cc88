"""What one workflow has around it: children and forks, mail, events and streams; each bounded, each by an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

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

from durable_django.base.clock import MomentField
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
class Letter:
    """
    A message that came, or that was sent.

    row          the number of the row that holds the value
    other        the workflow that it came from, or went to; empty if it came from outside
    received_at  None while it waits to be received; received_position where it was
    """

    row: int
    topic: str
    other: str
    created_at: datetime
    received_at: datetime | None
    received_position: int | None
    value: Stored


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
    received: Sequence[Letter]
    sent: Sequence[Letter]
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
    """Return what a row that counted() has read has around it: at most two queries, fewer if there is less."""
    alias, facts = row._state.db or "default", vars(row)
    counts = {name: facts[name] for name in _COUNTS}
    relatives = _relatives(
        alias, row.pk, has_children=bool(counts["children_count"]), has_forks=bool(counts["forks_count"])
    )
    # Nothing is published before the first attempt, but by a fork, which has copies.
    has_texts = row.attempt or row.forked_from_id or counts["received_count"] or counts["sent_count"]
    texts = _texts(alias, row.pk) if has_texts else []
    return Surroundings(
        children=[each for each in relatives if each.parent_id == row.pk],
        forks=[each for each in relatives if each.forked_from_id == row.pk],
        received=_letters(texts, "received"),
        sent=_letters(texts, "sent"),
        published=[_publication(each) for each in texts if each.kind in {"event", "stream"}][:MOST_PUBLISHED],
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


class _Text(NamedTuple):
    """A message, an event or the last entry of a stream; messages have the first rank."""

    rank: int
    row: int
    kind: str
    key: str
    number: int | None
    at: datetime
    head: str | None
    length: int | None
    other: str
    received_at: datetime | None


def _texts(alias: str, workflow_id: str) -> list[_Text]:
    """Return mail, events and the last entry of each stream, in one query: a page asks for much already."""
    mail = Message.objects.using(alias)
    # Those first whose columns have a type: of nothing alone PostgreSQL makes a text.
    parts = (
        _columns(_newest(mail.filter(workflow_id=workflow_id)), "received", **_OF_LETTER, other=F("sender")),
        _columns(_newest(mail.sent_by(workflow_id)), "sent", **_OF_LETTER, other=F("workflow_id")),
        _columns(Event.objects.using(alias).filter(workflow_id=workflow_id), "event", key=F("key"), at=F("set_at")),
        _columns(_last_entries(alias, workflow_id), "stream", key=F("key"), at=F("written_at"), number=F("offset")),
    )
    found = parts[0].union(*parts[1:], all=True).order_by("text_rank", "text_kind", "text_key")
    return [_Text(*columns) for columns in found[: 2 * MOST_MESSAGES + MOST_PUBLISHED]]


def _newest(rows: QuerySet[Message]) -> QuerySet[Message]:
    """Return the newest messages, by their numbers: SQLite has no LIMIT for a part of a union."""
    last = rows.order_by("-pk").values("pk")[MOST_MESSAGES - 1 : MOST_MESSAGES]
    found: QuerySet[Message] = rows.filter(pk__gte=Coalesce(Subquery(last), Value(0)))
    return found


def _last_entries(alias: str, workflow_id: str) -> QuerySet[StreamEntry]:
    """Return the last entry of each stream (durable_stream_offset)."""
    entries = StreamEntry.objects.using(alias).filter(workflow_id=workflow_id)
    last = entries.order_by().values("key").annotate(last=Max("pk")).values("last")
    found: QuerySet[StreamEntry] = StreamEntry.objects.using(alias).filter(pk__in=last)
    return found


_OF_LETTER = {
    "rank": Value(0),
    "key": F("topic"),
    "number": F("received_position"),
    "at": F("created_at"),
    "received_at": F("received_at"),
}
_OF_NONE = {
    "rank": Value(1),
    "number": Value(0, output_field=BigIntegerField()),
    "other": Value("", output_field=CharField()),
    "received_at": Value(None, output_field=MomentField()),
}


def _columns(rows: Any, kind: str, **columns: Any) -> Any:
    """Return the columns of a _Text, which are named anew: a query cannot give a name that its table has."""
    named = {f"text_{name}": value for name, value in {**_OF_NONE, **columns}.items()}
    given = rows.order_by().annotate(
        **named,
        text_kind=Value(kind, output_field=CharField()),
        text_row=F("pk"),
        text_head=Left("value", MOST_OF_VALUE),
        text_length=Length("value"),
    )
    return given.values_list(*(f"text_{name}" for name in _Text._fields))


def _letters(texts: Sequence[_Text], kind: str) -> list[Letter]:
    """Return the messages of a kind in the order in which they were sent."""
    return [
        Letter(each.row, each.key, each.other, each.at, each.received_at, each.number, Stored(each.head, each.length))
        for each in sorted(texts, key=lambda each: each.row)
        if each.kind == kind
    ]


def _publication(text: _Text) -> Published:
    # Offsets count from 0; the entry that closes a stream is none.
    entries = 0 if text.kind == "event" else (text.number or 0) + (text.head is not None)
    return Published(text.row, text.kind, text.key, entries, text.at, Stored(text.head, text.length))
