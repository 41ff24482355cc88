"""The app that mails alerts; its workflows.py, which connects the receivers, is found as that of any app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    """Mails about incidents."""

    name = "durable_django.contrib.alerts"
    label = "durable_alerts"
    verbose_name = _("Alerts of durable workflows")
