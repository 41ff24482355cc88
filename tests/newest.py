"""
The newest Django: a part of the suite also runs with it, wherever there is a Python that it needs.

    python -m tests.newest     makes .venv-newest, which `make test` does once

DURABLE_TEST_NEWEST_PYTHON  an interpreter that has Django 6.1 and the extra `test`, to be used instead
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import django

SERIES = "6.1"
REQUIREMENT = "Django>=6.1,<6.2"
FOLDER = Path(__file__).parent.parent / ".venv-newest"
#: What runs with it by default: on SQLite every room and every promise, on PostgreSQL what is about tasks. Crashes, the
#: example and the browser run with the main Django only: they are about processes, and take the most time.
LABELS = {
    "sqlite": (
        "tests.rooms",
        "tests.behaviour",
        "tests.admin",
        "tests.commands",
        "tests.monitoring",
        "tests.conformance",
    ),
    "postgresql": (
        "tests.conformance",
        "tests.behaviour.test_cost",
        "tests.behaviour.test_enqueueing",
        "tests.behaviour.test_plans",
        "tests.behaviour.test_task_attempts",
        "tests.behaviour.test_task_results",
        "tests.behaviour.test_task_signals",
        "tests.rooms.test_compiled",
        "tests.rooms.test_clock",
    ),
}
#: The oldest first: what the suite needs may not be there yet for the youngest.
_MINORS = range(12, 20)


def interpreter() -> str:
    """Return the Python that has the newest Django; nothing if there is none, or if this one has it."""
    if django.VERSION >= (6, 1):
        return ""
    found = os.environ.get("DURABLE_TEST_NEWEST_PYTHON") or str(FOLDER / "bin" / "python")
    return found if Path(found).exists() else ""


def main() -> None:
    """Make the environment, or say why there is none."""
    if django.VERSION >= (6, 1) or os.environ.get("DURABLE_TEST_NEWEST_PYTHON"):
        return
    for python in pythons():
        print(f"Installing Django {SERIES} with {python} into {FOLDER.name} (once) ...", flush=True)
        if install(python):
            return
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    print(f"NO PYTHON 3.12 OR NEWER TAKES DJANGO {SERIES} HERE: the suite runs with {django.__version__} only.")


def pythons() -> Iterator[str]:
    """Yield the interpreters that there are, on the path and where pyenv keeps them."""
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in _MINORS:
        name = f"python3.{minor}"
        kept = sorted(map(str, home.glob(f"versions/3.{minor}.*/bin/{name}")), reverse=True)
        places = [shutil.which(name) or "", *kept]
        # What pyenv puts on the path may be no more than a promise.
        yield from (place for place in places if place and _runs(place))


def _runs(python: str) -> bool:
    done = subprocess.run([python, "-c", ""], capture_output=True, check=False)
    return done.returncode == 0


def install(python: str) -> bool:
    """Make the environment with an interpreter; whether everything could be installed."""
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    commands = (
        [python, "-m", "venv", "--clear", str(FOLDER)],
        [*pip, "--no-compile", REQUIREMENT, "--editable", ".[test]"],
    )
    return all(subprocess.run(each, cwd=FOLDER.parent, check=False).returncode == 0 for each in commands)


if __name__ == "__main__":
    sys.exit(main())
