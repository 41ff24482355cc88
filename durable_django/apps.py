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
        """Import every installed app's workflows.py; connect logs, checks and the sync of what is declared."""
        from durable_django import checks  # noqa: F401 - registers itself
        from durable_django.base import logs
        from durable_django.engine import firing, verbs, wakeups
        from durable_django.tasks import is_available

        logs.connect()
        wakeups.connect()
        firing.connect()
        verbs.connect()
        autodiscover_modules("workflows")
        if is_available():
            from durable_django.tasks import serving

            serving.begin()
        post_migrate.connect(_sync_declared, sender=self, dispatch_uid="durable_django.sync_declared")


def _sync_declared(using: str, plan: Sequence[tuple[Any, bool]] = (), **_facts: Any) -> None:
    """Let rows say what the code declares after `migrate`, on the database of the workflow tables."""
    from durable_django.base import registry, timetable
    from durable_django.conf import durable_settings
    from durable_django.engine import context
    from durable_django.models.queue import Queue
    from durable_django.models.schedule import Schedule

    if using != context.alias_of_workflows() or any(backwards for _migration, backwards in plan):
        return
    # Another app may be migrated first, alone.
    connection = connections[using]
    if Queue._meta.db_table in connection.introspection.table_names():
        Queue.objects.using(using).sync(registry.queues.declared())
    # Migrated up to an earlier migration, the table lacks columns.
    if _has_columns(connection, Schedule._meta):
        declared = timetable.schedules.by_name()
        Schedule.objects.using(using).sync(declared.values(), durable_settings.APPLICATION)
        Schedule.objects.using(using).retire(list(declared), durable_settings.APPLICATION)


def _has_columns(connection: Any, meta: Any) -> bool:
    with connection.cursor() as cursor:
        if meta.db_table not in connection.introspection.table_names(cursor):
            return False
        found = {column.name for column in connection.introspection.get_table_description(cursor, meta.db_table)}
    return {field.column for field in meta.concrete_fields} <= found
