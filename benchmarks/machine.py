"""What the figures depend on: the machine, how fast its disk makes a commit durable, versions, other load."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks.places import sqlite_pragmas


def facts(databases: list[str]) -> list[str]:
    """Return one line for each fact; `databases` are those of the runs, with their versions."""
    return [
        f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}",
        f"fdatasync of an appended 8 KiB block: {_sync_milliseconds():.2f} ms (median of 200)",
        f"{', '.join(databases)}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {_version(name)}" for name in ("django", "psycopg", "dbos", "sqlalchemy")),
        f"PostgreSQL: defaults, fsync on, through a Unix socket; SQLite, on every side: {sqlite_pragmas()}",
    ]


def load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _sync_milliseconds() -> float:
    """Measure what a commit cannot do without, where the databases of the runs lie."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _number in range(200):
            began_at = time.perf_counter()
            os.write(file.fileno(), b"x" * 8192)
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            times.append(time.perf_counter() - began_at)
    return median(times) * 1000
