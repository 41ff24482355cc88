"""What the tables lack: migrations, indexes, schedules that fire as declared; by `check --database`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.exceptions import ValidationError
from django.db.migrations.exceptions import BadMigrationError, NodeNotFoundError
from django.db.migrations.executor import MigrationExecutor
from django.db.models import UniqueConstraint

from durable_django.base import registry, timetable
from durable_django.checks.routing import connection_of_tables
from durable_django.checks.settings import check_settings
from durable_django.conf import durable_settings

_LABEL = "durable_django"


@register(Tags.database, deploy=True)
def check_migrations(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Report unapplied migrations; only of a deployment, since `migrate` itself asks the other checks first."""
    connection = _connection_of(databases)
    if connection is None or not (names := _unapplied(connection)):
        return []
    hint = f"manage.py migrate --database {connection.alias}. A worker does not start until then."
    text = f"Migrations of durable_django are not applied on database {connection.alias!r}: {', '.join(names)}."
    return [Warning(text, hint=hint, id="durable_django.W013")]


@register(Tags.database)
def check_tables(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Report dropped indexes, and schedules that cannot fire; nothing where migrations are missing."""
    connection = _connection_of(databases)
    if connection is None or _unapplied(connection):
        return []
    return list(_judge_indexes(connection)) or [*_judge_schedules(connection), *_judge_owners(connection)]


def _connection_of(databases: Sequence[str] | None) -> Any:
    """Return the connection of the tables, if its database is one of those that are asked for."""
    connection = connection_of_tables()
    return connection if connection is not None and connection.alias in (databases or ()) else None


def _unapplied(connection: Any) -> list[str]:
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes(_LABEL))
    except (ImportError, BadMigrationError, NodeNotFoundError):
        # Migrations of the project that cannot be read, of which `migrate` says more.
        return []
    return [migration.name for migration, _backwards in plan if migration.app_label == _LABEL]


def _judge_indexes(connection: Any) -> Iterator[CheckMessage]:
    for model in apps.get_app_config(_LABEL).get_models():
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, model._meta.db_table)
        for index in _indexes_of(model):
            if index.name not in found:
                statement = index.create_sql(model, connection.schema_editor())
                text = f"Table {model._meta.db_table} of database {connection.alias!r} lacks the index {index.name}."
                yield Warning(text, hint=f"Make it again: {statement};", id="durable_django.W014")


def _indexes_of(model: Any) -> list[Any]:
    """Return what is an index in every database: those of the model, and unique constraints with a condition."""
    unique = [each for each in model._meta.constraints if isinstance(each, UniqueConstraint) and each.condition]
    return [*model._meta.indexes, *unique]


def _judge_schedules(connection: Any) -> Iterator[CheckMessage]:
    if check_settings():
        return
    rows = apps.get_model(_LABEL, "Schedule").objects.using(connection.alias).firing()
    for schedule in rows.filter(application=durable_settings.APPLICATION).order_by("name"):
        if fault := _fault_in(schedule):
            hint = f"Mend it in the code or the admin, or pause it: manage.py durable schedules {schedule.name} --pause"
            yield Warning(f"Schedule {schedule.name} does not fire: {fault}", hint=hint, id="durable_django.W015")


def _judge_owners(connection: Any) -> Iterator[CheckMessage]:
    if check_settings():
        return
    rows = apps.get_model(_LABEL, "Schedule").objects.using(connection.alias).foreign(durable_settings.APPLICATION)
    for schedule in rows.filter(name__in=timetable.schedules.by_name()).order_by("name"):
        text = (
            f"Schedule {schedule.name} is declared by this code, with APPLICATION {durable_settings.APPLICATION!r}, "
            f"but its row is of {schedule.application!r}: what is declared here does not fire."
        )
        hint = "Give it another name: @schedule(name='...'). If only APPLICATION was changed, change the row as well."
        yield Warning(text, hint=hint, id="durable_django.W017")


def _fault_in(schedule: Any) -> str:
    if not registry.workflows.knows(schedule.workflow):
        near = registry.nearest(schedule.workflow, registry.workflows.names())
        return f"no loaded code has the workflow {schedule.workflow!r}.{near}"
    try:
        schedule.clean()
    except ValidationError as error:
        return " ".join(error.messages)
    return str(schedule.error)
