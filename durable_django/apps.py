"""The app: finds workflows.py modules, connects log receivers and checks. Starts nothing, queries nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate
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
        from durable_django.engine import wakeups
        from durable_django.tasks import is_available

        logs.connect()
        wakeups.connect()
        autodiscover_modules("workflows")
        if is_available():
            from durable_django.tasks import serving

            serving.begin()
        post_migrate.connect(_sync_queues, sender=self, dispatch_uid="durable_django.sync_queues")


def _sync_queues(using: str, plan: Sequence[tuple[Any, bool]] = (), **_facts: Any) -> None:
    """Make rows for the declared queues after `migrate`, on the database of the workflow tables."""
    from durable_django.base import registry
    from durable_django.engine import context
    from durable_django.models.queue import Queue

    if using != context.alias_of_workflows() or any(backwards for _migration, backwards in plan):
        return
    # Another app may be migrated first, alone.
    if Queue._meta.db_table in connections[using].introspection.table_names():
        Queue.objects.using(using).sync(registry.queues.names())
