"""
The database of the suite, as the environment describes it.

DURABLE_TEST_DATABASE       sqlite (default) or postgresql
DURABLE_TEST_DATABASE_URL   postgresql://user:password@host:5432/name, or ...@/name?host=/folder/of/the/socket
DURABLE_TEST_DATABASE_NAME  the test database of a suite that runs already; wins over the name above. The runner
                            sets it, so that a worker started by a test opens the database of that test
DURABLE_TEST_FOLDER         where the SQLite files lie; made, and removed at exit, by whoever finds it unset
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def from_environment() -> dict[str, Any]:
    """Return the value of DATABASES["default"]."""
    kind = os.environ.get("DURABLE_TEST_DATABASE", "sqlite")
    if kind == "sqlite":
        return sqlite(scratch_folder())
    if kind == "postgresql":
        return postgresql(os.environ.get("DURABLE_TEST_DATABASE_URL", ""))
    raise ImproperlyConfigured(f"DURABLE_TEST_DATABASE is {kind!r}. Set it to sqlite or postgresql.")


def sqlite(folder: Path) -> dict[str, Any]:
    """Return settings for database files, which worker processes can open too, in `folder`."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DURABLE_TEST_DATABASE_NAME", str(folder / "default.sqlite3")),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        "TEST": {"NAME": str(folder / "test.sqlite3")},
    }


def postgresql(url: str) -> dict[str, Any]:
    """Return settings for the server behind `url`; what libpq takes after the question mark goes to OPTIONS."""
    if not url:
        raise ImproperlyConfigured(
            "DURABLE_TEST_DATABASE is postgresql, but no server is named. Set DURABLE_TEST_DATABASE_URL, or let "
            "the suite start one: python -m tests.run --only postgresql"
        )
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/")) or "postgres"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("DURABLE_TEST_DATABASE_NAME", name),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": options.pop("port", "") or str(parts.port or ""),
        "OPTIONS": options,
        "TEST": {"NAME": f"test_{name}"},
    }


def scratch_folder() -> Path:
    """Return the folder of this run; processes that are started from here share it."""
    if "DURABLE_TEST_FOLDER" not in os.environ:
        folder = tempfile.mkdtemp(prefix="durable-test-")
        os.environ["DURABLE_TEST_FOLDER"] = folder
        atexit.register(_remove, folder, os.getpid())
    return Path(os.environ["DURABLE_TEST_FOLDER"])


def _remove(folder: str, maker: int) -> None:
    # A forked child inherits the exit handler, but not the right to take the files away.
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)
