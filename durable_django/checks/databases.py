"""The kind of database that holds the workflow tables, as the settings describe it: nothing is asked of it here."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from durable_django.checks.routing import connection_of_tables
from durable_django.checks.sqlite import judge_sqlite

_SUPPORTED = ("postgresql", "sqlite")


@register()
def check_database(**_kwargs: Any) -> list[CheckMessage]:
    """Report databases that the engine does not run on, or not safely."""
    connection = connection_of_tables()
    if connection is None:
        return []
    if connection.vendor not in _SUPPORTED:
        hint = "Use PostgreSQL or SQLite for this alias, or route durable_django's models to another one."
        text = f"Database {connection.alias!r} is {connection.display_name}."
        return [Error(text, hint=hint, id="durable_django.E006")]
    if not connection.settings_dict.get("AUTOCOMMIT", True):
        hint = "Remove AUTOCOMMIT; what belongs together is put into transaction.atomic()."
        text = f"Database {connection.alias!r} has AUTOCOMMIT off: what the engine writes would never be committed."
        return [Error(text, hint=hint, id="durable_django.E015")]
    return judge_sqlite(connection) if connection.vendor == "sqlite" else []
