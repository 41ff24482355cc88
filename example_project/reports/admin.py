"""Reports and supplies in the admin, to be looked at."""

from __future__ import annotations

from django.contrib import admin

from example_project.reports.models import DailyReport, Supply


@admin.register(DailyReport)
class DailyReportAdmin(admin.ModelAdmin):
    """A line for each day."""

    list_display = ("day", "orders", "paid", "created_at")


@admin.register(Supply)
class SupplyAdmin(admin.ModelAdmin):
    """A line for each delivery."""

    list_display = ("product", "quantity", "created_at")
