"""Django's source distribution, which has its tests: fetched once for each version into .cache, which git ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
CACHE = Path(os.environ.get("DURABLE_TEST_CACHE") or PROJECT / ".cache")
_LIMIT_SECONDS = 180


class NotFetched(Exception):
    """There is no network, or no pip."""


def tests_of_tasks(version: str) -> Path:
    """
    Return the folder in which the package `tasks` lies, Django's tests of tasks.

    Raises NotFetched, with what pip has said, if it is not in the cache and cannot be fetched.
    """
    folder = CACHE / f"django-{version}-tests"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as scratch:
            _put(_unpacked(_fetched(version, Path(scratch)), Path(scratch)), folder)
    return folder


def _fetched(version: str, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", f"django=={version}"]
    command += ["--no-deps", "--no-binary", "django", "--dest", str(scratch)]
    # pip is not of this project: its warnings are its own.
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONWARNINGS", "PYTHONPATH"}}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotFetched(f"pip did not answer within {_LIMIT_SECONDS} s") from error
    found = list(scratch.glob("*.tar.gz"))
    if not found:
        raise NotFetched((done.stderr or done.stdout).strip().splitlines()[-1:] or "pip fetched nothing")
    return found[0]


def _unpacked(archive: Path, scratch: Path) -> Path:
    """Return the folder with the tests of tasks alone."""
    with tarfile.open(archive) as files:
        wanted = [member for member in files.getmembers() if "/tests/tasks/" in member.name and member.isfile()]
        files.extractall(scratch, wanted, filter="data")
    return next(scratch.glob("*/tests"))


def _put(tests: Path, folder: Path) -> None:
    """Move it to its place at once; the suite on the other database may have been faster."""
    try:
        tests.rename(folder)
    except OSError:
        if not folder.exists():
            shutil.copytree(tests, folder)
