"""The database of the workflow tables, as the settings describe it: nothing is asked of it here."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name
from django.db import connections

from durable_django.checks.routing import alias_of_tables

_SUPPORTED = ("postgresql", "sqlite")
#: From here on an UPDATE can return what it changed, which is how workflows are claimed.
_OLDEST_SQLITE = (3, 35, 0)


@register()
def check_database(**_kwargs: Any) -> list[CheckMessage]:
    """Report databases that the engine does not run on, or not safely."""
    alias = alias_of_tables()
    connection = connections[alias]
    if connection.vendor not in _SUPPORTED:
        hint = "Use PostgreSQL or SQLite for this alias, or route durable_django's models to another one."
        return [Error(f"Database {alias!r} is {connection.display_name}.", hint=hint, id="durable_django.E006")]
    return _check_sqlite(alias) if connection.vendor == "sqlite" else []


def _check_sqlite(alias: str) -> list[CheckMessage]:
    database = connections[alias].settings_dict
    name = str(database.get("NAME", ""))
    if _is_in_memory(name) and not _is_under_test(database):
        hint = "Give it a file: 'NAME': BASE_DIR / 'db.sqlite3'."
        return [Error(f"Database {alias!r} is in memory: workers cannot open it.", hint=hint, id="durable_django.E007")]
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        text = f"Database {alias!r} is SQLite {sqlite3.sqlite_version}; workers need 3.35 to claim workflows."
        hint = "Use a Python that was built with SQLite 3.35 or newer, or PostgreSQL."
        return [Error(text, hint=hint, id="durable_django.E009")]
    if "wal" not in str(database.get("OPTIONS", {}).get("init_command", "")).lower():
        hint = (
            "Set 'OPTIONS': {'transaction_mode': 'IMMEDIATE', "
            "'init_command': 'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;'}."
        )
        text = f"Database {alias!r} is SQLite without a write-ahead log: readers and the writer block each other."
        return [Warning(text, hint=hint, id="durable_django.W001")]
    return []


def _is_in_memory(name: str) -> bool:
    return ":memory:" in name or "mode=memory" in name


def _is_under_test(database: dict[str, Any]) -> bool:
    """Whether the test runner has put its own database in place; run_until_idle() works in memory too."""
    return "memorydb_" in str(database.get("NAME", ""))
