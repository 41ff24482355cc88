"""What needs attention: one sentence for each kind of trouble, with a link to what it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import ngettext

from durable_django.admin.addresses import list_of
from durable_django.base.texts import spoken_seconds
from durable_django.conf import durable_settings
from durable_django.management.census import Census


@dataclass(frozen=True)
class Need:
    """
    One trouble.

    kind     how the style sheet calls its colour
    text     the sentence
    address  the page that shows what it is about
    """

    kind: str
    text: str
    address: str


def needs(
    site: str, counted: Census, queues: Sequence[Any], workers: Sequence[Any], schedules: Sequence[Any]
) -> list[Need]:
    """Return what needs attention, the worst first; nothing if all is well."""
    return [
        *_of_workflows(site, counted),
        *_of_workers(site, workers),
        *_of_queues(site, queues),
        *_of_schedules(site, schedules),
    ]


def _of_workflows(site: str, counted: Census) -> Iterator[Need]:
    if count := counted.stalled:
        text = ngettext(
            "%(count)s workflow is held by a worker that is gone.",
            "%(count)s workflows are held by workers that are gone.",
            count.number,
        )
        yield Need("failed", text % {"count": count.spoken}, list_of(site, "workflow", attention="stalled"))
    if count := counted.codeless:
        text = ngettext(
            "%(count)s workflow waits for a worker that has its code.",
            "%(count)s workflows wait for a worker that has their code.",
            count.number,
        )
        yield Need("failed", text % {"count": count.spoken}, list_of(site, "workflow", attention="codeless"))
    if count := counted.failed_lately:
        text = ngettext(
            "%(count)s workflow has failed in the last 24 hours.",
            "%(count)s workflows have failed in the last 24 hours.",
            count.number,
        )
        address = list_of(site, "workflow", status__exact="failed", finished="24h")
        yield Need("failed", text % {"count": count.spoken}, address)


def _of_workers(site: str, workers: Sequence[Any]) -> Iterator[Need]:
    if lost := [worker for worker in workers if worker.is_lost]:
        text = ngettext(
            "%(count)d worker is gone without having said so.",
            "%(count)d workers are gone without having said so.",
            len(lost),
        )
        yield Need("failed", text % {"count": len(lost)}, list_of(site, "worker", state="gone"))


def _of_queues(site: str, queues: Sequence[Any]) -> Iterator[Need]:
    for queue in queues:
        if queue.is_paused and queue.depth.queued:
            text = ngettext(
                "Queue %(name)s is paused, and %(count)s workflow waits in it.",
                "Queue %(name)s is paused, and %(count)s workflows wait in it.",
                queue.depth.queued,
            )
            address = list_of(site, "workflow", status__exact="queued", in_queue=queue.name)
            yield Need("paused", text % {"name": queue.name, "count": queue.depth.spoken}, address)
        elif not queue.is_paused and (queue.depth.oldest_seconds or 0) > durable_settings.QUEUE_DELAY_SECONDS:
            text = ngettext(
                "In queue %(name)s %(count)s workflow waits, the oldest for %(age)s.",
                "In queue %(name)s %(count)s workflows wait, the oldest for %(age)s.",
                queue.depth.queued,
            )
            facts = {"name": queue.name, "count": queue.depth.spoken, "age": spoken_seconds(queue.depth.oldest_seconds)}
            address = list_of(site, "workflow", attention="late", in_queue=queue.name)
            yield Need("waiting", text % facts, address)


def _of_schedules(site: str, schedules: Sequence[Any]) -> Iterator[Need]:
    if broken := [schedule for schedule in schedules if schedule.error]:
        text = ngettext(
            "%(count)d schedule does not fire as it should.",
            "%(count)d schedules do not fire as they should.",
            len(broken),
        )
        yield Need("failed", text % {"count": len(broken)}, list_of(site, "schedule", state="broken"))
