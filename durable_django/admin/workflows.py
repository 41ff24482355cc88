"""Workflows in the admin: the list, and a page with facts, values and steps."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.filters import NameFilter, QueueFilter
from durable_django.admin.readonly import ReadOnlyAdmin, badge
from durable_django.base import payloads
from durable_django.base.texts import plain, spoken_seconds
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow

#: Steps on one page; a workflow with more shows its last ones.
MOST_STEPS = 500
_PAYLOADS = ("arguments", "output", "error", "attributes", "trace_context")


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    """What was started, where it stands, and what each step did."""

    list_display = ("id", "name", "badge", "attempt", "created_at", "duration", "queue")
    list_filter = ("status", NameFilter, QueueFilter)
    search_fields = ("id",)
    search_help_text = _("The id, or its beginning")
    ordering = ("-created_at",)
    readonly_fields = (
        "badge", "duration", "call", "result", "failure", "step_table", "shown_attributes", "lost",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("id", "name", "badge", "reason", "call", "result", "failure")}),
        (_("Steps"), {"fields": ("step_table",)}),
        (_("Times"), {"fields": ("created_at", "started_at", "finished_at", "duration", "run_after", "deadline")}),
        (_("Place"), {"fields": ("queue", "priority", "worker", "attempt", "lost", "waiting_for", "started_by")}),
        (_("Attributes"), {"fields": ("shown_attributes",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the payloads out of the list: four large ones made it a second slower."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer(*_PAYLOADS) if is_list else rows

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find ids by their beginning, as a range that the primary key serves on both databases."""
        if not search_term:
            return queryset, False
        return queryset.filter(pk__gte=search_term, pk__lt=search_term + "\U0010ffff"), False

    def allowed_lookups(self) -> tuple[str, ...]:
        return ("status__exact", NameFilter.parameter_name, QueueFilter.parameter_name)

    @admin.display(description=_("status"), ordering="status")
    def badge(self, workflow: Workflow) -> SafeString:
        """Show the status in its colour."""
        return badge(workflow.status, workflow.get_status_display())

    @admin.display(description=_("duration"))
    def duration(self, workflow: Workflow) -> str:
        """Show how long it took from the first claim to the end."""
        if workflow.started_at is None or workflow.finished_at is None:
            return "-"
        return spoken_seconds((workflow.finished_at - workflow.started_at).total_seconds())

    @admin.display(description=_("arguments"))
    def call(self, workflow: Workflow) -> SafeString | str:
        """Show the arguments as they were written in the call."""
        return _code(payloads.describe_call(workflow.arguments))

    @admin.display(description=_("result"))
    def result(self, workflow: Workflow) -> SafeString | str:
        """Show what it returned."""
        return _code(payloads.describe_value(workflow.output))

    @admin.display(description=_("error"))
    def failure(self, workflow: Workflow) -> SafeString | str:
        """Show the error with its traceback."""
        if workflow.error is None:
            return "-"
        found = payloads.describe_error(workflow.error)
        return format_html(
            "<strong>{}</strong><pre class='durable-code'>{}</pre>",
            payloads.describe_error_line(workflow.error),
            found.traceback or "",
        )

    @admin.display(description=_("attributes"))
    def shown_attributes(self, workflow: Workflow) -> SafeString | str:
        """Show the attributes that it was started with."""
        return _code(repr(workflow.attributes)) if workflow.attributes else "-"

    @admin.display(description=_("workers lost"))
    def lost(self, workflow: Workflow) -> str:
        """Show how many workers it lost in a row, and how many it may lose."""
        return f"{workflow.recoveries} / {workflow.max_recoveries}"

    @admin.display(description=_("steps"))
    def step_table(self, workflow: Workflow) -> SafeString | str:
        """Show the steps in their order: one query, payloads shortened."""
        rows = Step.objects.using(workflow._state.db).filter(workflow=workflow)
        steps = sorted(rows.order_by("-position")[:MOST_STEPS], key=lambda step: (step.branch, step.position))
        if not steps:
            return "-"
        lines = [_line(workflow, step) for step in steps]
        return render_to_string("admin/durable_django/workflow/steps.html", {"lines": lines})


def _line(workflow: Workflow, step: Step) -> dict[str, Any]:
    begun, start, end = workflow.started_at, step.started_at, step.finished_at
    return {
        "position": step.position,
        "name": plain(step.name),
        "state": step.state,
        "badge": badge(step.state, step.state),
        "attempt": step.attempt,
        "retries": step.retries,
        "start": spoken_seconds((start - begun).total_seconds() if start and begun else None),
        "took": spoken_seconds((end - start).total_seconds() if end and start else None),
        "value": payloads.describe_error_line(step.error, 400) or payloads.describe_value(step.output, 400),
    }


def _code(text: str | None) -> SafeString | str:
    return "-" if text is None else format_html("<code class='durable-code'>{}</code>", plain(text))
