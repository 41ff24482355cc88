"""Child processes that never outlive their parent's `with` block, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self, cast

from django.conf import settings

#: How long a terminated process may take to finish what it does.
GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class Child:
    """A process in a session of its own, so that it and its descendants can be signalled as one group."""

    name: str
    process: subprocess.Popen[str]

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole group, if anything of it is left."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def stop(self, deadline: float) -> int:
        """Wait until it ends, kill it at the deadline. Return its exit code."""
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
        return self.process.wait()


class Processes:
    """Starts children and stops all of them at the end of its `with` block, also after Ctrl-C and SIGTERM."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment = {**os.environ, **(environment or {})}
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, arguments: Sequence[str], *, output: IO[str] | int | None = None) -> Child:
        """Start python with these arguments in the project's folder; `output` takes its output and errors."""
        process = subprocess.Popen(  # noqa: S603 - the project's own commands
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output in (None, subprocess.PIPE) else subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        child = Child(name, process)
        self.children.append(child)
        return child

    def start_provider(self, ledger: Path, port: int = 0) -> str:
        """Start the payment provider, wait until it listens, let later children know where. Return its address."""
        arguments = ["-m", "example_project.provider", "--port", str(port), "--ledger", str(ledger)]
        child = self.start("provider", arguments, output=subprocess.PIPE)
        with cast("IO[str]", child.process.stdout) as output:
            url = output.readline().strip()
        if not url:
            raise ProcessEnded(child)
        self.environment["PAYMENT_PROVIDER_URL"] = url
        return url

    def manage(self, name: str, *arguments: str, log: Path | None = None) -> Child:
        """Start a management command; its output goes to the log file, or where this process's goes."""
        command = [str(settings.BASE_DIR / "manage.py"), *arguments]
        if log is None:
            return self.start(name, command)
        with log.open("a") as output:
            return self.start(name, command, output=output)

    def stop(self) -> dict[str, int]:
        """Terminate all children and wait for them. Return their exit codes."""
        for child in self.children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        codes = {child.name: child.stop(deadline) for child in self.children}
        for child in self.children:
            child.signal(signal.SIGKILL)
        self.children.clear()
        return codes

    def forget(self, child: Child) -> None:
        """Leave a child that is gone out of everything that follows."""
        self.children.remove(child)

    def require_alive(self) -> None:
        """Raise ProcessEnded if a child has ended by itself."""
        for child in self.children:
            if not child.is_alive:
                raise ProcessEnded(child)


class ProcessEnded(Exception):
    """A child that should run has ended."""

    def __init__(self, child: Child) -> None:
        super().__init__(f"{child.name} ended by itself with exit code {child.process.wait()}.")


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
