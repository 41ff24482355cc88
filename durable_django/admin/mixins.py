"""DurableAdminMixin: the workflows of an object on its page in the project's own admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import list_of
from durable_django.admin.runs import runs_of, with_spans
from durable_django.engine import context
from durable_django.models import subjects
from durable_django.models.workflow import Workflow

_FIELD = "durable_workflows"
#: Workflows that the page of an object shows, the newest.
_MOST_SHOWN = 20


class DurableAdminMixin:
    """
    The workflows that were started for an object, with a small timeline, behind the fields of its page.

        class OrderAdmin(DurableAdminMixin, admin.ModelAdmin): ...

    They are those that were started with `using(subject=order)`. Who may not view workflows does not see them. Two
    queries for a page, however many there are; it shows the newest twenty.
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
            (title, {**options, "fields": [name for name in options["fields"] if name != _FIELD]})
            for title, options in super().get_fieldsets(request, obj)  # type: ignore[misc]
        ]
        if obj is not None and request.user.has_perm("durable_django.view_workflow"):
            found.append((None, {"fields": [_FIELD]}))
        return found

    @admin.display(description=_("workflows"))
    def durable_workflows(self, obj: models.Model) -> SafeString | str:
        """Show them, the newest first."""
        site: str = self.admin_site.name  # type: ignore[attr-defined]
        rows = Workflow.objects.using(context.alias_of_workflows())
        newest = rows.for_subject(obj).order_by("-created_at", "-pk")[:_MOST_SHOWN]
        runs = with_spans(runs_of(newest, site))
        if not runs:
            return "-"
        subject = subjects.refer(obj, rows.db)
        facts = {"runs": runs, "all": list_of(site, "workflow", subject=f"{subject.type_id}:{subject.id}")}
        return render_to_string("admin/durable_django/runs_of_object.html", facts)
