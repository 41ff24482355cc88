"""Child processes that do not outlive their parent's `with` block, whatever ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self, cast

from example_project.demo.failures import ProcessEnded

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
#: How long a terminated process may take to finish what it does.
GRACE_SECONDS = 15.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Child:
    """A process in a group of its own: Ctrl-C reaches the parent alone, which then ends the children in order."""

    name: str
    process: subprocess.Popen[str]

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole group, if anything of it is left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wait(self, deadline: float) -> int:
        """Wait until it ends, kill it at the deadline. Return its exit code."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        return self.kill()

    def kill(self) -> int:
        """Kill what is left of the group. Return the exit code."""
        self.signal(signal.SIGKILL)
        return self.process.wait()


class Processes:
    """Starts children, and stops all of them at the end of its `with` block, also after Ctrl-C and SIGTERM."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment = {**os.environ, **(environment or {})}
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        # Without a handler these two would end this process without another word.
        self._handlers = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(self, name: str, *arguments: str, output: IO[str] | int | None = None) -> Child:
        """Start python with these arguments in the project's folder; `output` takes all that it prints."""
        with _signals_later():
            process = subprocess.Popen(  # noqa: S603 - the project's own commands
                [sys.executable, *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output in (None, subprocess.PIPE) else subprocess.STDOUT,
                text=True,
                process_group=0,
            )
            child = Child(name, process)
            self.children.append(child)
        return child

    def start_provider(self, ledger: Path, *, webhook_url: str, secret: str, port: int = 0) -> str:
        """Start the payment provider, wait until it listens, let later children know where. Return its address."""
        self.environment["PAYMENT_WEBHOOK_SECRET"] = secret
        options = ("--port", str(port), "--ledger", str(ledger), "--webhook", webhook_url)
        child = self.start("provider", "-m", "example_project.provider", *options, output=subprocess.PIPE)
        with cast("IO[str]", child.process.stdout) as output:
            url = output.readline().strip()
        if not url:
            raise ProcessEnded(child.name, child.process.wait())
        self.environment["PAYMENT_PROVIDER_URL"] = url
        return url

    def manage(self, name: str, *arguments: str, log: Path | None = None) -> Child:
        """Start a management command; its output goes to the log file, or where this process's goes."""
        if log is None:
            return self.start(name, "manage.py", *arguments)
        with log.open("a") as output:
            return self.start(name, "manage.py", *arguments, output=output)

    def start_web(self, port: int, *options: str, log: Path | None = None) -> None:
        """Start the web server and wait until it listens. Raises ProcessEnded if it does not come so far."""
        self.manage("web", "runserver", f"{HOST}:{port}", *options, log=log)
        while not _is_listening(port):
            self.require_alive()
            time.sleep(LOOK_SECONDS)

    def forget(self, child: Child) -> None:
        """Leave a child that is gone out of everything that follows."""
        self.children.remove(child)

    def require_alive(self) -> None:
        """Raise ProcessEnded if a child has ended by itself."""
        for child in self.children:
            if not child.is_alive:
                raise ProcessEnded(child.name, child.process.wait())

    def stop(self) -> dict[str, int]:
        """Terminate all children and wait for them. Return their exit codes."""
        try:
            for child in self.children:
                child.signal(signal.SIGTERM)
            deadline = time.monotonic() + GRACE_SECONDS
            return {child.name: child.wait(deadline) for child in self.children}
        finally:
            # Also when a second Ctrl-C ends the waiting.
            for child in self.children:
                child.kill()
            self.children.clear()


def webhook_url_at(port: int) -> str:
    """Return where a web server on this port takes the webhooks of the payment provider."""
    return f"http://{HOST}:{port}/webhooks/payments/"


def free_port(preferred: int) -> int:
    """Return the preferred port if nobody has it, else any that is free."""
    with socket.socket() as probe:
        # Connections that were closed a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            return free_port(0)
        return int(probe.getsockname()[1])


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def _signals_later() -> Iterator[None]:
    """Hold back what ends this process: a child that lives but is not in the list yet would outlive it."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in numbers}
    try:
        yield
    finally:
        for held, handler in handlers.items():
            signal.signal(held, handler)
    for held_back in came:
        signal.raise_signal(held_back)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
