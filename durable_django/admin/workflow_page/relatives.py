"""Lineage: parent, children, the origin of a fork and its forks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from durable_django.admin.badges import badge
from durable_django.admin.cells import breakable
from durable_django.admin.moments import moment
from durable_django.admin.workflow_page.addresses import Addresses, Link
from durable_django.base.texts import plain
from durable_django.management.durations import spoken_seconds
from durable_django.management.history import History, seconds_between
from durable_django.management.surroundings import Surroundings
from durable_django.models.workflow import Workflow


@dataclass(frozen=True)
class Relative:
    """One workflow in a list; `queued` is how long it waited for its first claim, `took` how long it ran from there."""

    link: Link
    name: str
    badge: SafeString
    created: str
    queued: str
    took: str


@dataclass(frozen=True)
class Relatives:
    """
    The workflows that this one comes from, and that come from it.

    more_children, more_forks  how many are not listed
    """

    parent: Link | None
    origin: Link | None
    children: Sequence[Relative]
    forks: Sequence[Relative]
    children_count: int
    live_children: int
    more_children: int
    more_forks: int

    def __bool__(self) -> bool:
        return bool(self.parent or self.origin or self.children_count or self.forks)


def relatives_of(history: History, around: Surroundings, addresses: Addresses) -> Relatives:
    """Return the lineage of a workflow."""
    workflow = history.workflow
    return Relatives(
        parent=addresses.link("workflow", workflow.parent_id),
        origin=addresses.link("workflow", workflow.forked_from_id),
        children=[_relative(each, history, addresses) for each in around.children],
        forks=[_relative(each, history, addresses) for each in around.forks],
        children_count=around.children_count,
        live_children=around.live_children,
        more_children=around.children_count - len(around.children),
        more_forks=around.forks_count - len(around.forks),
    )


def _relative(row: Workflow, history: History, addresses: Addresses) -> Relative:
    end = row.finished_at or history.now
    return Relative(
        link=Link(breakable(plain(row.pk)), addresses.page("workflow", row.pk)),
        name=breakable(plain(row.name)),
        badge=badge(row.status, row.get_status_display()),
        created=moment(row.created_at),
        queued=spoken_seconds(seconds_between(row.created_at, row.started_at or end)),
        took=spoken_seconds(seconds_between(row.started_at, end)),
    )
