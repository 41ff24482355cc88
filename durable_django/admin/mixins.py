"""DurableAdminMixin: the workflows of an object on its page in the project's own admin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import list_of
from durable_django.admin.operating.verbs import verbs_of
from durable_django.admin.runs import runs_of, with_spans
from durable_django.engine import context
from durable_django.models import subjects
from durable_django.models.workflow import Workflow

_FIELD = "durable_workflows"
#: Workflows that the page of an object shows, the newest.
_MOST_SHOWN = 20
#: What can be done to them from there; the other verbs have their buttons on the pages of workflows.
_OFFERED = ("cancel", "pause", "resume", "fork")
#: Where an object keeps what its page offers: Django shows a field without the request, and an admin serves many at a
#: time. Not the request itself: the project may pickle or copy the object when it is saved.
_OFFER = "_durable_offer"


class DurableAdminMixin:
    """
    The workflows that were started for an object, with a small timeline, behind the fields of its page.

        class OrderAdmin(DurableAdminMixin, admin.ModelAdmin): ...

    They are those that were started with `using(subject=order)`. Who may not view workflows does not see them; who may
    cancel, pause, resume or fork them has a button for that beside each. Two queries for a page, however many there
    are; it shows the newest twenty.
    """

    @property
    def media(self) -> forms.Media:
        """The style sheet beside that of the admin."""
        base: forms.Media = super().media  # type: ignore[misc]
        return base + forms.Media(css={"all": ["durable_django/admin.css"]})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the workflows to what is only shown."""
        fields = tuple(super().get_readonly_fields(request, obj))  # type: ignore[misc]
        return fields if _FIELD in fields else (*fields, _FIELD)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show them last, on pages of rows that are there, to those who may view workflows."""
        found = [
            (title, {**options, "fields": _without_ours(options["fields"])})
            for title, options in super().get_fieldsets(request, obj)  # type: ignore[misc]
        ]
        if obj is not None and request.user.has_perm("durable_django.view_workflow"):
            setattr(obj, _OFFER, (_allowed(request), request.get_full_path()))
            found.append((None, {"fields": [_FIELD]}))
        return found

    @admin.display(description=_("workflows"))
    def durable_workflows(self, obj: models.Model) -> SafeString | str:
        """Show them, the newest first; nothing where nobody has looked whether the user may view workflows."""
        offer = getattr(obj, _OFFER, None)
        if offer is None:
            return "-"
        site: str = self.admin_site.name  # type: ignore[attr-defined]
        rows = Workflow.objects.using(context.alias_of_workflows())
        newest = rows.for_subject(obj).order_by("-created_at", "-pk")[:_MOST_SHOWN]
        names, here = offer
        verbs = [verb for verb in verbs_of("workflow") if verb.name in names]
        runs = with_spans(runs_of(newest, site, verbs, then=here))
        if not runs:
            return "-"
        subject = subjects.refer(obj, rows.db)
        facts = {
            "runs": runs,
            "has_buttons": any(run.buttons for run in runs),
            "all": list_of(site, "workflow", subject=f"{subject.type_id}:{subject.id}"),
        }
        return render_to_string("admin/durable_django/runs_of_object.html", facts)


def _without_ours(fields: Iterable[Any]) -> list[Any]:
    """Return the fields of a form, and those that share a line, without that of the workflows."""
    lines = [
        tuple(name for name in each if name != _FIELD) if isinstance(each, list | tuple) else each for each in fields
    ]
    return [each for each in lines if each not in {_FIELD, ()}]


def _allowed(request: HttpRequest) -> list[str]:
    return [verb.name for verb in verbs_of("workflow") if verb.name in _OFFERED and verb.is_allowed(request)]
