"""The app: finds workflows.py modules, connects log receivers and checks. Starts nothing, queries nothing."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class DurableDjangoConfig(AppConfig):
    """Durable workflows in the project's own database."""

    name = "durable_django"
    verbose_name = _("Durable workflows")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every installed app's workflows.py; connect logs, checks and the syncing of declared queues."""
        from durable_django import checks  # noqa: F401 - registers itself
        from durable_django.base import logs

        logs.connect()
        autodiscover_modules("workflows")
