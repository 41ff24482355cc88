"""Schedules in the admin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.badges import badge
from durable_django.admin.moments import moment, one_line
from durable_django.admin.operating.operated import OperatedAdmin
from durable_django.admin.workflow_page.values import hidden
from durable_django.base import cron, payloads
from durable_django.base.texts import plain_lines
from durable_django.management.showing import showing
from durable_django.models.schedule import Schedule


@admin.register(Schedule)
class ScheduleAdmin(OperatedAdmin):
    """When each schedule fires next, and which do not fire."""

    list_display = ("name", "state", "text", "upcoming_one", "timezone", "workflow", "error")
    list_filter = ("is_paused", "is_retired")
    allowed_lookups = frozenset({"is_paused__exact", "is_retired__exact"})
    ordering = ("name",)
    fields = (
        "name", "state", "workflow", "cron", "timezone", "upcoming", "queue", "shown_context", "catch_up", "overlap",
        "jitter_seconds", "next_at", "fired_until", "resumed_at", "error", "application", "created_at",
    )  # fmt: skip
    readonly_fields = ("state", "upcoming", "shown_context")

    def get_fields(self, request: HttpRequest, obj: Schedule | None = None) -> list[Any]:
        """Show of the context only its size to those who may not see payloads."""
        fields = list(super().get_fields(request, obj))
        if not request.user.has_perm("durable_django.view_payload"):
            fields[fields.index("shown_context")] = "hidden_context"
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> list[Any]:
        """All are; this one takes the place of another."""
        return [*super().get_readonly_fields(request, obj), "hidden_context"]

    @admin.display(description=_("state"))
    def state(self, schedule: Schedule) -> SafeString:
        """Show whether it fires, and whether as the code says."""
        if schedule.is_retired:
            return badge("cancelled", _("retired"))
        if schedule.is_paused:
            return badge("paused", _("paused"))
        if schedule.error:
            return badge("failed", _("broken"))
        return badge("waiting", _("edited")) if schedule.is_edited else badge("succeeded", _("on"))

    @admin.display(description=_("cron"), ordering="cron")
    def text(self, schedule: Schedule) -> SafeString:
        """Show the text, in one line however narrow the column is."""
        return one_line(schedule.cron)

    @admin.display(description=_("next"), ordering="next_at")
    def upcoming_one(self, schedule: Schedule) -> SafeString:
        """Show when a worker looks at it next, on the clock that the schedule goes by."""
        return one_line(_on_its_clock(schedule, schedule.next_at) if schedule.next_at else "-")

    @admin.display(description=_("next ticks"))
    def upcoming(self, schedule: Schedule) -> str:
        """Show when it fires from now on, on the clock that the schedule goes by."""
        try:
            return ", ".join(_on_its_clock(schedule, tick) for tick in schedule.next_ticks(5))
        except ValueError:
            return "-"

    @admin.display(description=_("context"))
    def shown_context(self, schedule: Schedule) -> str:
        """Show the value that the workflow is called with, without making it, and without its secrets."""
        return plain_lines(payloads.describe_value(schedule.encoded_context, redact=showing().redact) or "-")

    @admin.display(description=_("context"))
    def hidden_context(self, schedule: Schedule) -> str:
        """Show how much there is of it."""
        return "-" if schedule.encoded_context is None else hidden(len(schedule.encoded_context))


def _on_its_clock(schedule: Schedule, tick: datetime) -> str:
    """Return a moment in the zone that the text means; in the project's if that cannot be read."""
    try:
        return moment(tick, cron.read_zone(schedule.timezone))
    except ValueError:
        return moment(tick)
