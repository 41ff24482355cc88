"""The reports app."""

from __future__ import annotations

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Label `reports`: its schedules are therefore named `reports.report_yesterday` and `reports.restock`."""

    name = "example_project.reports"
    label = "reports"
    default_auto_field = "django.db.models.BigAutoField"
