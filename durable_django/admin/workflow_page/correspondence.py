"""Mail, events and streams: what came to a workflow, what it has sent, and what it has published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from durable_django.admin.moments import moment
from durable_django.admin.workflow_page.addresses import Link
from durable_django.admin.workflow_page.values import Values
from durable_django.base.texts import plain
from durable_django.management import surroundings
from durable_django.management.surroundings import Published, Surroundings


@dataclass(frozen=True)
class Letter:
    """
    One message.

    other        the workflow that it came from, or went to; None if it came from outside
    received_at  when it was received, empty while it waits; `position` where
    """

    topic: str
    other: Link | None
    sent_at: str
    received_at: str
    position: str
    value: str
    download: str


@dataclass(frozen=True)
class Publication:
    """An event with its value, or a stream with its last entry and how many it has."""

    key: str
    entries: int
    is_stream: bool
    is_closed: bool
    at: str
    value: str
    download: str


@dataclass(frozen=True)
class Correspondence:
    """All of it, and how much is not listed."""

    received: Sequence[Letter]
    sent: Sequence[Letter]
    more_received: int
    more_sent: int
    published: Sequence[Publication]

    def __bool__(self) -> bool:
        return bool(self.received or self.sent)


def correspondence_of(around: Surroundings, values: Values) -> Correspondence:
    """Return the mail of a workflow, and what it has published."""
    return Correspondence(
        received=[_letter(each, values) for each in around.received],
        sent=[_letter(each, values) for each in around.sent],
        more_received=around.received_count - len(around.received),
        more_sent=around.sent_count - len(around.sent),
        published=[_publication(each, values) for each in around.published],
    )


def _letter(row: surroundings.Letter, values: Values) -> Letter:
    return Letter(
        topic=plain(row.topic),
        other=values.addresses.link("workflow", row.other),
        sent_at=moment(row.created_at),
        received_at=moment(row.received_at) if row.received_at else "",
        position=str(row.received_position or ""),
        value=values.line(row.value, row.topic),
        download=_download(f"message-{row.row}", values),
    )


def _publication(row: Published, values: Values) -> Publication:
    is_stream = row.kind == "stream"
    source = f"{'entry' if is_stream else 'event'}-{row.row}"
    return Publication(
        key=plain(row.key),
        entries=row.entries,
        is_stream=is_stream,
        is_closed=is_stream and row.is_closed,
        at=moment(row.at),
        value=values.line(row.value, row.key),
        download=_download(source, values) if row.value.head is not None else "",
    )


def _download(source: str, values: Values) -> str:
    return values.addresses.payload(values.workflow_id, source) if values.is_permitted else ""
