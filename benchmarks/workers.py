"""Worker processes of both sides, as their users start them, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measurement import THREADS

_LIMIT_SECONDS = 600.0


@contextmanager
def durable_worker(processes: int = 1) -> Iterator[int]:
    """Run `manage.py worker`, and yield its process number."""
    options = ["--threads", str(THREADS), "--processes", str(processes), "--no-reload"]
    with running(["-m", "django", "worker", *options]) as process:
        yield process.pid


@contextmanager
def dbos_worker(processes: int = 1) -> Iterator[int]:
    """Run workers of dbos, ready to claim, and yield the process number of the first one."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(running(["-m", "benchmarks.dbos_side"], is_heard=True)) for _number in range(processes)
        ]
        for process in workers:
            assert process.stdout is not None
            process.stdout.readline()
        yield workers[0].pid


@contextmanager
def running(arguments: list[str], *, is_heard: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a worker of whoever, by its own command, until the block ends.

    is_heard  what it prints can be read, and must be: a pipe that is full would stop it
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if is_heard else subprocess.DEVNULL,
        # Logs are written as by default, to where they cost what a terminal or a collector would not.
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def wait_until(condition: Callable[[], Any], every: float = 0.1) -> None:
    end = time.monotonic() + _LIMIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            message = f"Nothing came of it within {_LIMIT_SECONDS:g} s."
            raise TimeoutError(message)
        time.sleep(every)


def children_of(pid: int) -> list[int]:
    """Return the numbers of the processes that a process has started and that live (Linux)."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children so far (Linux)."""
    return _own_cpu_seconds(pid) + sum(map(cpu_seconds, children_of(pid)))


def resident_megabytes(pid: int) -> float:
    """Return the memory of a process and its children that is in use and shared with nobody (Linux)."""
    return _private_megabytes(pid) + sum(map(resident_megabytes, children_of(pid)))


def _private_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _own_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
