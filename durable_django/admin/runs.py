"""A few workflows on the page of something else: of a worker, a schedule, an object of the project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from durable_django.admin.addresses import page_of
from durable_django.admin.badges import badge
from durable_django.admin.cells import breakable
from durable_django.admin.drawings import Span, span
from durable_django.admin.moments import moment
from durable_django.admin.operating.buttons import Button, buttons_of
from durable_django.admin.operating.verb import Verb
from durable_django.base.clock import Now
from durable_django.base.texts import plain
from durable_django.management import history
from durable_django.management.durations import spoken_seconds
from durable_django.management.naming import spoken_names
from durable_django.models.workflow import Workflow

#: Columns that lists read: no payload, however large, comes along.
LISTED = (
    "id", "name", "status", "queue", "attempt", "created_at", "started_at", "finished_at", "pruned_at",
    "subject_type", "subject_id", "version",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """
    One workflow in a small table.

    begun, ended  when it was created, and when it ended or was read
    buttons       what the user may do to it
    span          where it stands on the time of all of them; None without a timeline
    """

    key: str
    name: str
    status: str
    badge: SafeString
    address: str
    created: str
    duration: str
    begun: datetime
    ended: datetime
    buttons: Sequence[Button] = ()
    span: Span | None = None

    @property
    def shown_key(self) -> SafeString:
        """The id as a column shows it."""
        return breakable(self.key)

    @property
    def shown_name(self) -> SafeString:
        """The name as a column shows it."""
        return breakable(self.name)


def runs_of(rows: QuerySet[Workflow], site: str, verbs: Iterable[Verb] = (), then: str = "") -> list[Run]:
    """
    Return workflows in the order that is given, without payloads: one query, or two with tasks among them.

    verbs  those that the user may do, for the buttons
    then   where buttons lead afterwards
    """
    found = list(rows.only(*LISTED).annotate(now=Now()))
    names, allowed = spoken_names(found), list(verbs)
    return [
        replace(_run(workflow, names[workflow.pk], site), buttons=buttons_of(workflow, allowed, site, then=then))
        for workflow in found
    ]


def with_spans(runs: Sequence[Run]) -> list[Run]:
    """Return them with their places on the time from the first creation to the last end."""
    if not runs:
        return []
    first, last = min(run.begun for run in runs), max(run.ended for run in runs)
    return [replace(run, span=span(run.begun, run.ended, first, last)) for run in runs]


def _run(workflow: Any, name: str, site: str) -> Run:
    lasted = history.seconds_between(workflow.started_at, workflow.finished_at or workflow.now)
    return Run(
        key=plain(workflow.pk),
        name=plain(name),
        status=workflow.status,
        badge=badge(workflow.status, workflow.get_status_display()),
        address=page_of(site, "workflow", workflow.pk),
        created=moment(workflow.created_at),
        duration=spoken_seconds(lasted),
        begun=workflow.created_at,
        ended=workflow.finished_at or workflow.now,
    )
