"""SQLite: versions and options with which processes cannot share one file, or stand in each other's way."""

from __future__ import annotations

import sqlite3
from pathlib import PurePath
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name

from durable_django.checks.routing import connection_of_tables, options_of

#: From here on an UPDATE can return what it changed, which is how workflows are claimed.
_OLDEST = (3, 35, 0)


def judge_sqlite(connection: Any) -> list[CheckMessage]:
    """Report what keeps workers from the file, or makes readers and the writer wait for each other."""
    alias, name = connection.alias, _text_of(connection.settings_dict.get("NAME"))
    if _is_in_memory(name) and not _is_under_test(name):
        hint = "Give it a file: 'NAME': BASE_DIR / 'db.sqlite3'."
        return [Error(f"Database {alias!r} is in memory: workers cannot open it.", hint=hint, id="durable_django.E007")]
    if sqlite3.sqlite_version_info < _OLDEST:
        text = f"Database {alias!r} is SQLite {sqlite3.sqlite_version}; workers need 3.35 to claim workflows."
        hint = "Use a Python that was built with SQLite 3.35 or newer, or PostgreSQL."
        return [Error(text, hint=hint, id="durable_django.E009")]
    if "wal" not in _text_of(options_of(connection).get("init_command")).lower():
        hint = (
            "Set 'OPTIONS': {'transaction_mode': 'IMMEDIATE', "
            "'init_command': 'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;'}."
        )
        text = f"Database {alias!r} is SQLite without a write-ahead log: readers and the writer block each other."
        return [Warning(text, hint=hint, id="durable_django.W001")]
    return []


def _text_of(value: Any) -> str:
    """Return a text or a path as text; nothing for what is neither, which Django refuses when it connects."""
    return str(value) if isinstance(value, str | PurePath) else ""


def _is_in_memory(name: str) -> bool:
    return ":memory:" in name or "mode=memory" in name


def _is_under_test(name: str) -> bool:
    """Whether the test runner has put its own database in place; run_until_idle() works in memory too."""
    return "memorydb_" in name


@register()
def check_transactions(**_kwargs: Any) -> list[CheckMessage]:
    """Report transactions of the project that SQLite refuses at once, or that lock the file for too long."""
    connection = connection_of_tables()
    if connection is None or connection.vendor != "sqlite":
        return []
    alias, messages = connection.alias, list[CheckMessage]()
    if _text_of(options_of(connection).get("transaction_mode")).upper() not in {"IMMEDIATE", "EXCLUSIVE"}:
        hint = "Set 'OPTIONS': {'transaction_mode': 'IMMEDIATE', 'timeout': 20, ...}."
        text = (
            f"Transactions on database {alias!r} do not begin IMMEDIATE: one that has read before it writes fails with "
            "'database is locked' while a worker writes, whatever the timeout."
        )
        messages.append(Warning(text, hint=hint, id="durable_django.W004"))
    if connection.settings_dict.get("ATOMIC_REQUESTS"):
        hint = "Set 'ATOMIC_REQUESTS': False and put what writes into transaction.atomic(), or use PostgreSQL."
        text = (
            f"Database {alias!r} is SQLite with ATOMIC_REQUESTS: each request locks the file until it is answered, "
            "and workers wait."
        )
        messages.append(Warning(text, hint=hint, id="durable_django.W005"))
    return messages
