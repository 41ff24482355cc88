"""Schedules in the admin."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import page_of
from durable_django.admin.badges import badge
from durable_django.admin.cells import breakable, with_help
from durable_django.admin.cron_words import words_of
from durable_django.admin.filters import ScheduleStateFilter
from durable_django.admin.lists import FixedOrderList
from durable_django.admin.moments import moment, one_line, spoken_tick
from durable_django.admin.operating.operated import OperatedAdmin
from durable_django.admin.workflow_page.values import hidden
from durable_django.base import cron, payloads
from durable_django.base.texts import plain, plain_lines, shortened
from durable_django.engine import context
from durable_django.management.durations import spoken_seconds
from durable_django.management.outcomes import Outcome, last_runs
from durable_django.management.showing import showing
from durable_django.models.schedule import Schedule
from durable_django.models.status import Status

#: Runs that the strip of a schedule shows, ticks that its page shows, schedules that the overview looks at.
MOST_RUNS, _MOST_TICKS, MOST_SHOWN = 20, 5, 200
#: Characters of an error in the list.
_LONGEST_ERROR = 300


@admin.register(Schedule)
class ScheduleAdmin(OperatedAdmin):
    """When each schedule fires next, and which do not fire."""

    list_display = ("key", "state", "text", "upcoming_one", "outcomes", "definition")
    list_filter = ("is_paused", "is_retired", ScheduleStateFilter)
    allowed_lookups = frozenset({"is_paused__exact", "is_retired__exact", ScheduleStateFilter.parameter_name})
    saved = (
        (_("All"), {}),
        (_("Broken"), {"state": "broken"}),
        (_("Paused"), {"is_paused__exact": "1"}),
        (_("Retired"), {"is_retired__exact": "1"}),
    )
    ordering = ("name",)
    fields = (
        "name", "state", "error", "workflow", "cron", "words", "timezone", "upcoming", "outcomes", "queue",
        "shown_context", "catch_up", "overlap", "jitter", "looked_at_next", "fired", "resumed", "application",
        "created",
    )  # fmt: skip
    #: Columns of which nothing is said if they are empty, by the fields that show them.
    omitted: ClassVar[dict[str, str]] = {
        "error": "error",
        "queue": "queue",
        "shown_context": "encoded_context",
        "resumed": "resumed_at",
        "application": "application",
    }
    readonly_fields = (
        "state", "words", "upcoming", "outcomes", "shown_context", "jitter", "looked_at_next", "fired", "resumed",
        "created",
    )  # fmt: skip

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 - Django's names
        return ScheduleList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        schedule = super().get_object(request, object_id, from_field)
        return with_outcomes([schedule])[0] if schedule and _may_view_runs(request) else schedule

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Show runs to those who may view workflows."""
        return [each for each in super().get_list_display(request) if each != "outcomes" or _may_view_runs(request)]

    def get_fields(self, request: HttpRequest, obj: Schedule | None = None) -> list[Any]:
        """
        Leave out what is empty, and the runs for those who may not view workflows.

        Of the context those who may not see payloads are shown only its size.
        """
        left_out = {field for field, column in self.omitted.items() if obj is not None and not getattr(obj, column)}
        left_out |= set() if _may_view_runs(request) else {"outcomes"}
        fields = [field for field in super().get_fields(request, obj) if field not in left_out]
        if "shown_context" in fields and not request.user.has_perm("durable_django.view_payload"):
            fields[fields.index("shown_context")] = "hidden_context"
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> list[Any]:
        """All are; this one takes the place of another."""
        return [*super().get_readonly_fields(request, obj), "hidden_context"]

    @admin.display(description=_("name"))
    def key(self, schedule: Schedule) -> SafeString:
        """Show the name, which leads to the page."""
        return breakable(plain(schedule.name))

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
    def text(self, schedule: Schedule) -> SafeString | str:
        """Show the text, in one line however narrow the column is, and what it means."""
        return with_help(one_line(schedule.cron), words_of(schedule.cron))

    @admin.display(description=_("in words"))
    def words(self, schedule: Schedule) -> str:
        """Show what the text means, where it has simple words."""
        return words_of(schedule.cron) or "-"

    @admin.display(description=_("last runs"))
    def outcomes(self, schedule: Any) -> SafeString:
        """Show what became of the last runs, the newest at the right."""
        site = self.admin_site.name
        runs = [
            (page_of(site, "workflow", run.workflow_id), run.status, _of_run(run, schedule)) for run in schedule.runs
        ]
        return render_to_string("admin/durable_django/outcomes.html", {"runs": runs})

    @admin.display(description=_("next"), ordering="next_at")
    def upcoming_one(self, schedule: Schedule) -> SafeString | str:
        """Show when a worker looks at it next, on the clock that the schedule goes by."""
        return with_help(
            one_line(_on_its_clock(schedule, schedule.next_at) if schedule.next_at else "-"), schedule.timezone
        )

    @admin.display(description=_("workflow"))
    def definition(self, schedule: Schedule) -> SafeString | str:
        """Show what it starts, and why it cannot if that is so."""
        return with_help(breakable(plain(schedule.workflow)), shortened(plain(schedule.error), _LONGEST_ERROR), "fault")

    @admin.display(description=_("next ticks"))
    def upcoming(self, schedule: Schedule) -> SafeString | str:
        """Show when it fires from now on, on the clock that the schedule goes by, whose offset may change meanwhile."""
        try:
            zone = cron.read_zone(schedule.timezone)
            ticks = [spoken_tick(tick, zone) for tick in schedule.next_ticks(_MOST_TICKS)]
        except ValueError:
            return "-"
        return format_html_join("", '<span class="durable-line durable-tick">{}</span>', ((tick,) for tick in ticks))

    @admin.display(description=_("jitter"))
    def jitter(self, schedule: Schedule) -> str:
        """Show by how much a start may be late at most."""
        return spoken_seconds(schedule.jitter_seconds) if schedule.jitter_seconds else "-"

    @admin.display(description=_("looked at next"))
    def looked_at_next(self, schedule: Schedule) -> str:
        """Show when a worker looks at it next, on the clock that the schedule goes by."""
        return _on_its_clock(schedule, schedule.next_at) if schedule.next_at else "-"

    @admin.display(description=_("fired until"))
    def fired(self, schedule: Schedule) -> str:
        """Show up to when its ticks were dealt with, on its clock."""
        return _on_its_clock(schedule, schedule.fired_until) if schedule.fired_until else "-"

    @admin.display(description=_("resumed"))
    def resumed(self, schedule: Schedule) -> str:
        """Show up to when ticks count as missed, on its clock."""
        return _on_its_clock(schedule, schedule.resumed_at) if schedule.resumed_at else "-"

    @admin.display(description=_("created"))
    def created(self, schedule: Schedule) -> str:
        """Show when it was made."""
        return moment(schedule.created_at)

    @admin.display(description=_("context"))
    def shown_context(self, schedule: Schedule) -> str:
        """Show the value that the workflow is called with, without making it, and without its secrets."""
        return plain_lines(payloads.describe_value(schedule.encoded_context, redact=showing().redact) or "-")

    @admin.display(description=_("context"))
    def hidden_context(self, schedule: Schedule) -> str:
        """Show how much there is of it."""
        return "-" if schedule.encoded_context is None else hidden(len(schedule.encoded_context))


class ScheduleList(FixedOrderList):
    """The schedules of one page, without their contexts, each with its last runs."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return rows.defer("encoded_context")

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if _may_view_runs(request):
            self.result_list = with_outcomes(list(self.result_list))


def with_outcomes(schedules: list[Any]) -> list[Any]:
    """Give each schedule its last runs, the oldest first."""
    runs = last_runs([schedule.name for schedule in schedules], MOST_RUNS)
    for schedule in schedules:
        schedule.runs = runs[schedule.name]
    return schedules


def at_a_glance(site: str) -> list[Any]:
    """Return the schedules, those first that fire next, each with what the overview says about it."""
    rows = Schedule.objects.using(context.alias_of_workflows()).order_by(F("next_at").asc(nulls_last=True), "name")
    found: list[Any] = list(rows.defer("encoded_context", "declared")[:MOST_SHOWN])
    for schedule in found:
        schedule.shown_name = breakable(plain(schedule.name))
        schedule.address = page_of(site, "schedule", schedule.pk)
        schedule.spoken_next = _on_its_clock(schedule, schedule.next_at) if schedule.next_at else "-"
        schedule.words = words_of(schedule.cron) or schedule.cron
    return found


def _may_view_runs(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("durable_django.view_workflow"))


def _of_run(run: Outcome, schedule: Schedule) -> str:
    moment_of_tick = _on_its_clock(schedule, run.tick) if run.tick else run.workflow_id
    return gettext("%(moment)s: %(status)s") % {"moment": moment_of_tick, "status": Status(run.status).label}


def _on_its_clock(schedule: Schedule, tick: datetime) -> str:
    """Return a moment in the zone that the text means; in the project's if that cannot be read."""
    try:
        return moment(tick, cron.read_zone(schedule.timezone))
    except ValueError:
        return moment(tick)
