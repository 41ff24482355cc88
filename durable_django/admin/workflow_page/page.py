"""The page of one workflow as a whole, ready for its template: every text is plain, the template escapes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from durable_django.admin.badges import badge
from durable_django.admin.workflow_page.addresses import Addresses, Link
from durable_django.admin.workflow_page.correspondence import Correspondence, correspondence_of
from durable_django.admin.workflow_page.facts import facts_of
from durable_django.admin.workflow_page.failures import Failure, failure_of
from durable_django.admin.workflow_page.relatives import Relatives, relatives_of
from durable_django.admin.workflow_page.steps import Line, lines_of
from durable_django.admin.workflow_page.timeline import Timeline, timeline_of
from durable_django.admin.workflow_page.values import LONGEST_BLOCK, WIDTH, Block, Values
from durable_django.base.texts import plain, plain_lines, plain_sentence, shortened
from durable_django.management import history, surroundings
from durable_django.management.history import History
from durable_django.management.naming import spoken_name
from durable_django.management.showing import Showing, showing
from durable_django.models.workflow import Workflow

#: Steps on one page.
MOST_STEPS = 200
#: A page that is refreshed asks again after so long (milliseconds).
_REFRESH_MILLISECONDS = 3000


@dataclass(frozen=True)
class Asked:
    """
    What the user asks for, and may see.

    is_permitted     whether payloads may be seen
    are_first_steps  the first steps instead of the last ones
    is_folding       whether idle time is folded
    """

    is_permitted: bool
    are_first_steps: bool = False
    is_folding: bool = True


@dataclass(frozen=True)
class Views:
    """Where the same page is in another view."""

    first_steps: str
    last_steps: str
    folded: str
    unfolded: str


@dataclass(frozen=True)
class Page:
    """
    Everything on the page.

    refresh   milliseconds until a live page looks again; empty for a workflow that has ended
    left_out  steps that are not shown: earlier ones, or later ones if the first are shown
    """

    badge: SafeString
    name: str
    situation: str
    refresh: str
    facts: Sequence[tuple[str, Link]]
    timeline: Timeline
    lines: Sequence[Line]
    left_out: int
    are_first_steps: bool
    views: Views
    call: Block
    result: Block
    failure: Failure | None
    error: Block
    attributes: str
    relatives: Relatives
    correspondence: Correspondence


def page_of(row: Workflow, site: str, asked: Asked) -> Page:
    """
    Return what the page of a workflow shows.

    row   as surroundings.counted() and history.without_payloads() read it
    site  the name of the admin site, for links
    """
    shown = showing()
    found = history.read(
        row, MOST_STEPS, redact=shown.redact if asked.is_permitted else None, are_first=asked.are_first_steps
    )
    around, addresses = surroundings.look(row), Addresses(site)
    values = Values(shown, addresses, row.pk, asked.is_permitted)
    return Page(
        badge=badge(row.status, row.get_status_display()),
        name=plain(spoken_name(row, found.arguments.head)),
        situation=plain_sentence(found.situation),
        refresh="" if row.is_finished else str(_REFRESH_MILLISECONDS),
        facts=list(facts_of(found, addresses)),
        timeline=timeline_of(found, around, addresses, is_folding=asked.is_folding, are_first=asked.are_first_steps),
        lines=lines_of(found, values),
        left_out=found.left_out,
        are_first_steps=asked.are_first_steps,
        views=_views(row.pk, addresses, asked),
        relatives=relatives_of(found, around, addresses),
        correspondence=correspondence_of(around, values),
        attributes=_attributes(found, shown),
        **_outcome(found, values),
    )


def _outcome(found: History, values: Values) -> dict[str, Any]:
    shown = values.showing
    is_failed = found.error.head is not None
    failure = failure_of(shown.error(found.error), values.error_line(found.error)) if values.is_permitted else None
    return {
        "call": values.block(found.arguments, "arguments", lambda: shown.call(found, LONGEST_BLOCK, width=WIDTH)),
        "result": values.value(found.output, "output"),
        "failure": failure if is_failed else None,
        # Its text stands in the failure; what is left is the note for who may not see it, or the way to all of it.
        "error": values.block(found.error, "error", str),
    }


def _views(workflow_id: str, addresses: Addresses, asked: Asked) -> Views:
    steps, idle = "first" if asked.are_first_steps else "", "" if asked.is_folding else "shown"
    return Views(
        first_steps=addresses.view(workflow_id, steps="first", idle=idle),
        last_steps=addresses.view(workflow_id, idle=idle),
        folded=addresses.view(workflow_id, steps=steps),
        unfolded=addresses.view(workflow_id, steps=steps, idle="shown"),
    )


def _attributes(found: History, shown: Showing) -> str:
    if not found.workflow.attributes:
        return ""
    text = json.dumps(shown.attributes(found), indent=4, ensure_ascii=False)
    return plain_lines(shortened(text, LONGEST_BLOCK))
