"""
Flags: files by which a step in a worker process and the test that watches it wait for each other.

DURABLE_TEST_FLAGS  the folder of the running test
"""

from __future__ import annotations

import os
import time
from pathlib import Path

#: Nobody waits longer: a test that went wrong must end.
LIMIT_SECONDS = 60.0


def folder() -> Path:
    """Return the folder of the running test."""
    return Path(os.environ["DURABLE_TEST_FLAGS"])


def raise_flag(name: str) -> int:
    """Say that a point was reached, each time anew. Return how often it was."""
    with (folder() / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return times(name)


def times(name: str) -> int:
    """Return how often a point was reached."""
    return len(processes(name))


def processes(name: str) -> list[int]:
    """Return which process reached a point, each time that one did."""
    path = folder() / name
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def raise_once(name: str) -> bool:
    """Say that a point was reached, whoever comes first. Return whether this was the first."""
    try:
        (folder() / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def wait_for(name: str) -> None:
    """Wait for a flag, at most a minute."""
    end = time.monotonic() + LIMIT_SECONDS
    while not (folder() / name).exists():
        if time.monotonic() > end:
            message = f"Nobody raised the flag {name!r}."
            raise TimeoutError(message)
        time.sleep(0.01)
