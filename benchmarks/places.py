"""
Places: where the databases for the runs are made, a new one for each.

DURABLE_BENCH_SYNCHRONOUS  SQLite's setting on every side: NORMAL, as the documentation of this project advises, or FULL
"""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests import databases
from tests.postgres import PostgresServer

#: Fills a new database, whose URL it is given.
Fill = Callable[[str], None]


class Place(Protocol):
    """One kind of database."""

    kind: str

    @property
    def version(self) -> str:
        """The version of the database."""

    def kept(self, name: str, fill: Fill) -> str:
        """Return the URL of the database with this name, made and filled on the first call."""

    def fresh(self, name: str, fill: Fill) -> str:
        """Return the URL of a new copy of what kept() returns."""

    def remove(self, url: str) -> None:
        """Remove a copy."""


class PostgresPlace:
    """Databases on one server; a copy is made by CREATE DATABASE ... TEMPLATE."""

    kind = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._names: set[str] = set()
        self._copies = 0

    @property
    def version(self) -> str:
        return f"PostgreSQL {driver(self.server.url).execute('SHOW server_version').fetchone()[0]}"

    def kept(self, name: str, fill: Fill) -> str:
        if name not in self._names:
            self._names.add(name)
            self._run(f"CREATE DATABASE {name}")
            fill(self._url(name))
        return self._url(name)

    def fresh(self, name: str, fill: Fill) -> str:
        self.kept(name, fill)
        self._copies += 1
        copy = f"run_{self._copies}"
        # A checkpoint that the making of the copy has caused must not fall into the run.
        self._run(f"CREATE DATABASE {copy} TEMPLATE {name}", "CHECKPOINT")
        return self._url(copy)

    def remove(self, url: str) -> None:
        name = url.partition("@/")[2].partition("?")[0]
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return self.server.url.replace("@/postgres?", f"@/{name}?")

    def _run(self, *statements: str) -> None:
        for statement in statements:
            driver(self.server.url).execute(statement)


class SqlitePlace:
    """Files in one folder."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._copies = 0

    @property
    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def kept(self, name: str, fill: Fill) -> str:
        path = self.folder / f"{name}.sqlite3"
        if not path.exists():
            fill(_sqlite_url(path))
        return _sqlite_url(path)

    def fresh(self, name: str, fill: Fill) -> str:
        self._copies += 1
        copy = self.folder / f"run_{self._copies}.sqlite3"
        # The last connection has moved the write-ahead log into the file when it was closed.
        shutil.copyfile(sqlite_path(self.kept(name, fill)), copy)
        return _sqlite_url(copy)

    def remove(self, url: str) -> None:
        path = sqlite_path(url)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


def sqlite_path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@functools.cache
def driver(url: str) -> Any:
    """Return a connection of the bare driver, each of whose statements commits by itself."""
    if not is_sqlite(url):
        import psycopg

        return psycopg.connect(url, autocommit=True)
    connection = sqlite3.connect(sqlite_path(url), isolation_level=None)
    connection.executescript(sqlite_pragmas())
    return connection


def sqlite_pragmas() -> str:
    """Return what every side executes in each of its SQLite connections."""
    return f"PRAGMA journal_mode=WAL; PRAGMA synchronous={os.environ.get('DURABLE_BENCH_SYNCHRONOUS', 'NORMAL')};"


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def django_database(url: str) -> dict[str, Any]:
    """Return the value of DATABASES["default"] for a URL."""
    if not is_sqlite(url):
        return databases.postgresql(url)
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": sqlite_pragmas()}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(sqlite_path(url)), "OPTIONS": options}
