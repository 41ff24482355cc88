"""Reports and supplies in the admin, to be looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from example_project.reports.models import DailyReport, Supply


class LookAtAdmin(admin.ModelAdmin):
    """Only the schedules write these rows."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _row: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _row: Any = None) -> bool:
        return False


@admin.register(DailyReport)
class DailyReportAdmin(LookAtAdmin):
    """A line for each day."""

    list_display = ("day", "orders", "paid", "created_at")


@admin.register(Supply)
class SupplyAdmin(LookAtAdmin):
    """A line for each delivery."""

    list_display = ("product", "quantity", "created_at")
