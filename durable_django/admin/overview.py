"""The page that shows all at a glance: what there is, what happens, who works, and what needs attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from durable_django.admin import attention, queues, schedules, workers
from durable_django.admin.addresses import list_of
from durable_django.admin.badges import badge
from durable_django.admin.drawings import bars
from durable_django.admin.failures import page_of_failures
from durable_django.admin.readonly import ReadOnlyAdmin
from durable_django.base.texts import spoken_seconds
from durable_django.management import census, throughput
from durable_django.management.counting import Count
from durable_django.models.overview import Overview
from durable_django.models.status import Status

#: The times that the drawings show, by what the address calls them.
PERIODS: dict[str, tuple[float, Any]] = {
    "5m": (300.0, _("5 minutes")),
    "1h": (3600.0, _("1 hour")),
    "24h": (86_400.0, _("24 hours")),
}
_USUAL_PERIOD = "24h"
_MOST_SCHEDULES = 10


@dataclass(frozen=True)
class Trend:
    """What happened over a time, as the page draws it."""

    kind: str
    title: Any
    path: str
    total: str
    peak: str


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    """For whoever may view workflows; of queues, workers and schedules each shows what the user may view."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        return bool(request.user.has_perm("durable_django.view_workflow"))

    def get_urls(self) -> list[URLPattern]:
        """Lead to two pages, and to none for single rows, which are the workflows' own."""
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="durable_django_overview_changelist"),
            path("failures/", view(self.failures_view), name="durable_django_failures"),
        ]

    def changelist_view(self, request: HttpRequest, _extra: Any = None) -> HttpResponse:
        """Show all at a glance."""
        self.require_view_permission(request)
        return self._page(request, "overview", _("Overview"), self._at_a_glance(request))

    def failures_view(self, request: HttpRequest) -> HttpResponse:
        """Show what fails, in groups."""
        self.require_view_permission(request)
        return self._page(request, "failures", _("Failures"), page_of_failures(request, self.admin_site.name))

    def _page(self, request: HttpRequest, name: str, title: Any, facts: dict[str, Any]) -> HttpResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "title": title}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/durable_django/{name}.html", {**common, **facts})

    def _at_a_glance(self, request: HttpRequest) -> dict[str, Any]:
        site = self.admin_site.name
        counted = census.take()
        seen = self._seen(request, "queue", queues.at_a_glance)
        working = self._seen(request, "worker", workers.at_work)
        planned = self._seen(request, "schedule", schedules.at_a_glance)
        return {
            "needs": attention.needs(site, counted, seen, working, planned),
            "statuses": _statuses(counted, site),
            "queues": seen,
            "workers": [worker for worker in working if worker.has_lease or worker.is_lost],
            "schedules": [schedule for schedule in planned if schedule.next_at][:_MOST_SCHEDULES],
            **_happenings(request.GET.get("period", "")),
        }

    def _may_view(self, request: HttpRequest, model: str) -> bool:
        return bool(request.user.has_perm(f"durable_django.view_{model}"))

    def _seen(self, request: HttpRequest, model: str, read: Callable[[str], list[Any]]) -> list[Any]:
        return read(self.admin_site.name) if self._may_view(request, model) else []


def _statuses(counted: census.Census, site: str) -> list[tuple[Any, str, str]]:
    """Return label, number and list of each status."""
    return [
        (badge(status, status.label), counted.by_status[status].spoken, list_of(site, "workflow", status__exact=status))
        for status in Status
    ]


def _happenings(period: str) -> dict[str, Any]:
    """Return what the page says of the time that was asked for, or of the usual one."""
    chosen = period if period in PERIODS else _USUAL_PERIOD
    seconds, spoken = PERIODS[chosen]
    seen = throughput.measure(seconds)
    return {
        "period": spoken,
        "part": spoken_seconds(seconds / throughput.PARTS),
        "periods": [(key, title, key == chosen) for key, (_seconds, title) in PERIODS.items()],
        "trends": _trends(seen),
        "seen_since": seen.seen_since,
    }


def _trends(seen: throughput.Throughput) -> list[Trend]:
    """Return the drawings; failures are drawn to a measure of their own, since few of them matter."""
    titled = (
        ("running", _("started"), seen.started),
        ("succeeded", _("succeeded"), seen.succeeded),
        ("failed", _("failed"), seen.failed),
    )
    drawn = [(kind, title, bars(numbers), max(numbers)) for kind, title, numbers in titled]
    return [
        Trend(kind, title, drawing.path, Count(drawing.total).spoken, Count(peak).spoken)
        for kind, title, drawing, peak in drawn
    ]
