"""Records: what operators did to one row, for its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.moments import moment
from durable_django.admin.operating.verbs import VERBS
from durable_django.base.texts import plain, plain_lines, plain_sentence, shortened
from durable_django.models.operation import Operation
from durable_django.models.queue import Queue
from durable_django.models.schedule import Schedule
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow

#: Records on the page of a row.
MOST_SHOWN = 10
_LONGEST = 400
_MODELS: dict[str, Any] = {"workflow": Workflow, "queue": Queue, "schedule": Schedule, "worker": Worker}
#: What verbs note beside the columns that they change.
_MADE = {
    "attributes": _("attributes"),
    "topic": _("topic"),
    "workflow": _("workflow"),
    "workflows": _("workflows"),
    "start": _("from"),
    "end": _("until before"),
}


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


def spoken_log(kind: str, message: str) -> str:
    """Return an entry of the admin's log, which keeps the words of the code, in the language of who reads it."""
    for verb in VERBS:
        with translation.override(None):
            kept = str(verb.log)
        if verb.kind == kind and f"{message} ".startswith(f"{kept} "):
            return f"{verb.log}{message[len(kept) :]}"
    return message


def spoken_change(operation: Operation) -> str:
    """Return what is other since then: status: running → cancelled."""
    before = operation.before if isinstance(operation.before, dict) else {}
    after = operation.after if isinstance(operation.after, dict) else {}
    names = [*before, *(name for name in after if name not in before)]
    # The reason stands beside it.
    parts = [_part(operation.object_kind, name, before, after) for name in names if name != "reason"]
    return shortened(plain_sentence("; ".join(parts)), _LONGEST)


def _part(kind: str, name: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    field = _field(kind, name)
    label = _MADE.get(name) or (field.verbose_name if field is not None else name)
    if name not in before:
        return f"{label}: {after[name]}"
    return f"{label}: {_spoken(field, before[name])} → {_spoken(field, after.get(name))}"


def _field(kind: str, name: str) -> Any:
    """Return the column of that name; None if there is none, as for what a verb has made."""
    fields = {field.name: field for field in _MODELS[kind]._meta.concrete_fields} if kind in _MODELS else {}
    return fields.get(name)


def _spoken(field: Any, value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    choices = dict(field.flatchoices) if field is not None and isinstance(value, str) else {}
    return str(choices.get(value, value))
