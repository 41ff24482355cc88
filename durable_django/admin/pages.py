"""What the page of one workflow shows, ready for its template: every text is plain, the template escapes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from durable_django.admin.badges import badge
from durable_django.admin.bars import Bar, Scale
from durable_django.admin.moments import moment
from durable_django.base import payloads
from durable_django.base.texts import plain, plain_lines, shortened, spoken_seconds
from durable_django.management.history import History, StepHistory, Stored
from durable_django.models.workflow import Workflow

_LONGEST_BLOCK = 20_000
_LONGEST_LINE = 400
_WIDTH = 100


@dataclass(frozen=True)
class Line:
    """One row of the timeline."""

    position: str
    name: str
    state: str
    badge: SafeString
    attempt: int
    retries: int
    start: str
    took: str
    bar: Bar | None
    came_of_it: str


@dataclass(frozen=True)
class Page:
    """
    Everything on the page.

    call, result, error, attributes   texts of several lines; empty if there is nothing
    failure                           type and message of the error
    left_out                          earlier steps that are not shown
    """

    badge: SafeString
    name: str
    situation: str
    facts: list[tuple[str, str | SafeString]]
    lines: list[Line]
    left_out: int
    call: str
    result: str
    failure: str
    traceback: str
    attributes: str


def page_of(history: History, site: str) -> Page:
    """
    Return what the page of the workflow shows.

    site  the name of the admin site, for links
    """
    workflow, error = history.workflow, history.error
    scale = _scale(history)
    attributes = json.dumps(workflow.attributes, indent=4, ensure_ascii=False) if workflow.attributes else ""
    traceback = "" if error.head is None or error.is_cut else payloads.describe_error(error.head).traceback
    return Page(
        badge=badge(workflow.status, workflow.get_status_display()),
        name=plain(workflow.name),
        situation=plain(history.situation),
        facts=list(_facts(history, site)),
        lines=[_line(history, step, scale) for step in history.steps],
        left_out=history.left_out,
        call=_block(history.arguments, payloads.describe_call),
        result=_block(history.output, payloads.describe_value),
        failure=plain(error.described(payloads.describe_error_line) or ""),
        traceback=plain_lines(traceback.rstrip()),
        attributes=plain_lines(shortened(attributes, _LONGEST_BLOCK)),
    )


def _block(stored: Stored, describe: Callable[..., str | None]) -> str:
    return plain_lines(stored.described(lambda text: describe(text, _LONGEST_BLOCK, width=_WIDTH)) or "")


def _facts(history: History, site: str) -> Iterator[tuple[str, str | SafeString]]:
    for label, value in _all_facts(history, site).items():
        if isinstance(value, datetime):
            yield label, moment(value)
        elif value not in {None, ""}:
            yield label, value if isinstance(value, SafeString) else plain(value)


def _all_facts(history: History, site: str) -> dict[str, Any]:
    workflow = history.workflow
    lost = _("%(lost)d in a row, %(most)d allowed") % {"lost": workflow.recoveries, "most": workflow.max_recoveries}
    return {
        _("Queue"): workflow.queue,
        _("Priority"): workflow.priority,
        _("Created"): workflow.created_at,
        _("First claimed"): workflow.started_at,
        _("Last claimed"): workflow.claimed_at if workflow.claimed_at != workflow.started_at else None,
        _("Due"): workflow.run_after,
        _("Deadline"): workflow.deadline,
        _("Finished"): workflow.finished_at,
        _("Duration"): workflow.started_at and spoken_seconds(history.seconds),
        _("Attempt"): workflow.attempt,
        _("Workers lost"): lost if workflow.recoveries else None,
        _("Retries"): workflow.failures or None,
        _("Worker"): _link(site, "worker", workflow.worker),
        _("Waits for"): workflow.waiting_for,
        _("Started by"): workflow.started_by,
        _("Parent"): _link(site, "workflow", workflow.parent_id),
        _("Forked from"): _link(site, "workflow", workflow.forked_from_id),
        _("Schedule"): workflow.schedule,
        _("Partition key"): workflow.partition_key,
        _("Deduplication key"): workflow.deduplication_key,
        _("Application"): workflow.application,
        _("Version"): workflow.version,
    }


def _link(site: str, model: str, key: str | None) -> SafeString | None:
    if not key:
        return None
    url = reverse(f"admin:{Workflow._meta.app_label}_{model}_change", args=[quote(key)], current_app=site)
    return format_html('<a href="{}">{}</a>', url, plain(key))


def _scale(history: History) -> Scale:
    starts = [history.workflow.created_at, *(each.step.started_at for each in history.steps)]
    ends = [history.workflow.finished_at or history.now, *(each.step.finished_at for each in history.steps)]
    return Scale(min(each for each in starts if each), max(each for each in ends if each))


def _line(history: History, entry: StepHistory, scale: Scale) -> Line:
    step = entry.step
    begun = history.workflow.started_at
    start = (step.started_at - begun).total_seconds() if step.started_at and begun else None
    error = entry.error.described(payloads.describe_error_line)
    came_of_it = entry.output.described(payloads.describe_value) if error is None else error
    return Line(
        position=plain(step.place),
        name=plain(step.name),
        state=entry.state,
        badge=badge(entry.state, _STATES[entry.state]()),
        attempt=step.attempt,
        retries=step.retries,
        start=spoken_seconds(start),
        took=spoken_seconds(entry.seconds),
        bar=scale.bar(step.started_at, step.finished_at),
        came_of_it=shortened(plain(came_of_it or ""), _LONGEST_LINE),
    )


_STATES: dict[str, Callable[[], str]] = {
    "done": lambda: _("done"),
    "failed": lambda: _("failed"),
    "retrying": lambda: _("retrying"),
    "waiting": lambda: _("waiting"),
}
