"""Records: what operators did to one row, for its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from durable_django.admin.moments import moment
from durable_django.admin.operating.verbs import VERBS
from durable_django.base.texts import plain, plain_lines, shortened
from durable_django.models.operation import Operation

#: Records on the page of a row.
MOST_SHOWN = 10
_LONGEST = 400


@dataclass(frozen=True)
class Record:
    """One line."""

    when: str
    who: str
    verb: str
    change: str
    reason: str


@dataclass(frozen=True)
class Records:
    """
    The last ones of a row.

    all_url  the list of all of them; empty for those who may not see it, or if these are all
    """

    lines: list[Record]
    all_url: str


def records_of(admin: Any, request: HttpRequest, row: Any) -> Records:
    """
    Return what was done to a row, the newest first: one query, or none if the row was read with has_records.

    Most rows were left alone, and the page of a workflow asks for much already.
    """
    if not vars(row).get("has_records", True):
        return Records(lines=[], all_url="")
    kind = row._meta.model_name
    found = list(Operation.objects.using(row._state.db).of(kind, str(row.pk))[: MOST_SHOWN + 1])
    may_see_all = len(found) > MOST_SHOWN and request.user.has_perm("durable_django.view_operation")
    address = _list_url(admin) if may_see_all else ""
    return Records(
        lines=[_record(each) for each in found[:MOST_SHOWN]],
        all_url=f"{address}?{urlencode({'kind': kind, 'q': str(row.pk)})}" if address else "",
    )


def _list_url(admin: Any) -> str:
    return reverse("admin:durable_django_operation_changelist", current_app=admin.admin_site.name)


def _record(operation: Operation) -> Record:
    return Record(
        when=moment(operation.created_at),
        who=plain(operation.actor),
        verb=spoken_verb(operation),
        change=spoken_change(operation),
        reason=plain_lines(operation.reason),
    )


def spoken_verb(operation: Operation) -> str:
    """Return the label of what was done; the bare word if this version does not know it."""
    labels = {(verb.kind, verb.name): verb.label for verb in VERBS}
    return str(labels.get((operation.object_kind, operation.verb)) or plain(operation.verb))


def spoken_change(operation: Operation) -> str:
    """Return what is other since then: status: running → cancelled."""
    before = operation.before if isinstance(operation.before, dict) else {}
    after = operation.after if isinstance(operation.after, dict) else {}
    names = [*before, *(name for name in after if name not in before)]
    # The reason stands beside it.
    parts = [_part(name, before, after) for name in names if name != "reason"]
    return shortened(plain("; ".join(parts)), _LONGEST)


def _part(name: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    if name not in before:
        return f"{name}: {after[name]}"
    return f"{name}: {_spoken(before[name])} → {_spoken(after.get(name))}"


def _spoken(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
