"""Worker processes that a test starts, hurts and reaps; conditions it waits for."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection, connections
from django.test import TransactionTestCase

from durable_django.models import Schedule, Worker, Workflow
from tests.sample import flags
from tests.sample.models import Mark

#: A condition that is not met by then never will be.
LIMIT_SECONDS = 60.0
#: No machine is so slow that a healthy worker loses this lease: what happens has another reason.
LONG_LEASE = {"LEASE_SECONDS": 60, "HEARTBEAT_SECONDS": 0.5, "POLL_SECONDS": 0.2}
#: A lease that tests can wait for, with beats often enough for a machine under load.
SHORT_LEASE = {**LONG_LEASE, "LEASE_SECONDS": 2}

#: Commands have no use for the pages of the admin, whose import takes a tenth of their start.
WITHOUT_ADMIN = {"DURABLE_TEST_WITHOUT_ADMIN": "1"}


class WorkerUnderTest:
    """A supervisor with its children, started by `python -m django worker`."""

    def __init__(self, log: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "django", "worker", *arguments],
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self.seen: set[int] = set()

    @property
    def children(self) -> list[int]:
        """The process numbers of its worker processes that live."""
        with contextlib.suppress(OSError):
            path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            self.seen |= set(map(int, path.read_text().split()))
        return [pid for pid in self.seen if _is_alive(pid)]

    @property
    def child(self) -> int:
        """Its one worker process."""
        (pid,) = self.children
        return pid

    def wait_until_ready(self) -> None:
        """Wait until its worker processes can claim."""
        wait_until(lambda: self.ready_count() >= 1, f"a worker is ready, see\n{self.log.read_text()}")

    def ready_count(self) -> int:
        """Return how many of its worker processes can claim."""
        return Worker.objects.alive().filter(pid__in=self.children).count()

    def has_said(self, text: str) -> bool:
        """Whether its log contains the text."""
        return text in self.log.read_text()

    def kill_all(self) -> None:
        """Kill supervisor and children, the supervisor first: nobody buries the children then."""
        children = self.children
        self.process.kill()
        self.process.wait()
        for pid in children:
            _kill(pid)

    def freeze_supervisor(self) -> None:
        """Stop the supervisor, so that nobody minds what becomes of the children."""
        self.process.send_signal(signal.SIGSTOP)

    def freeze(self) -> None:
        """Stop supervisor and children."""
        self.freeze_supervisor()
        for pid in self.children:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let supervisor and children go on."""
        for pid in [*self.children, self.process.pid]:
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return self.process.wait(LIMIT_SECONDS)

    def reap(self) -> None:
        """
        Leave no process behind, whatever state it is in.

        A supervisor that outlived its children, if only for a moment, would start another: it would register itself in
        the database of the next test before it notices that it is alone.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)
        for pid in [self.process.pid, *self.children]:
            _kill(pid)
        self.process.wait()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def wait_until(condition: Callable[[], Any], what: str, seconds: float = LIMIT_SECONDS) -> None:
    """Ask until the condition holds. Raises AssertionError after a limit that no sound machine needs."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"Waited {seconds:g} s in vain until {what}.")
        time.sleep(0.02)


class CrashTestCase(TransactionTestCase):
    """A test with worker processes on the test database; whatever they are doing, they end with it."""

    def setUp(self) -> None:
        super().setUp()
        # Those of the example project would fire in the middle of a test, once an hour.
        Schedule.objects.pause()
        folder = tempfile.TemporaryDirectory(prefix="durable-crash-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        os.environ["DURABLE_TEST_FLAGS"] = str(self.folder)
        self.addCleanup(os.environ.pop, "DURABLE_TEST_FLAGS", None)
        #: What workers need, and what therefore ends after them.
        self.surroundings = contextlib.ExitStack()
        self.addCleanup(self.surroundings.close)
        self.workers: list[WorkerUnderTest] = []
        # Cleanups run backwards: the logs are shown before the workers are reaped.
        self.addCleanup(self._reap)
        self.addCleanup(self._show_logs)

    def _reap(self) -> None:
        for worker in self.workers:
            worker.reap()
        connections.close_all()

    def _show_logs(self) -> None:
        result = self._outcome.result  # type: ignore[attr-defined]
        if all(test.id() != self.id() for test, _trace in result.failures + result.errors):
            return
        for worker in self.workers:
            print(f"\n--- {worker.log.name}\n{worker.log.read_text()[-6000:]}", file=sys.stderr)

    def start_worker(
        self,
        *arguments: str,
        settings: dict[str, Any] | None = None,
        fault: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> WorkerUnderTest:
        """
        Start a worker and wait until it can claim.

        arguments    of the command
        settings     DURABLE_DJANGO; LONG_LEASE unless given
        fault        see tests/sample/faults.py
        environment  more variables
        """
        worker = self.launch_worker(*arguments, settings=settings, fault=fault, environment=environment)
        worker.wait_until_ready()
        return worker

    def launch_worker(
        self,
        *arguments: str,
        settings: dict[str, Any] | None = None,
        fault: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> WorkerUnderTest:
        """Start a worker without waiting for anything."""
        chosen = LONG_LEASE if settings is None else settings
        environment = {"DURABLE_TEST_SETTINGS": json.dumps(chosen), **WITHOUT_ADMIN, **(environment or {})}
        if fault:
            environment["DURABLE_TEST_FAULT"] = json.dumps(fault)
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = WorkerUnderTest(log, arguments, environment)
        self.workers.append(worker)
        return worker

    def wait_for_flag(self, name: str, times: int = 1) -> None:
        wait_until(lambda: flags.times(name) >= times, f"flag {name} was raised {times} times")

    def let_go_on(self, label: str, call: int = 1) -> None:
        """Let a held step return, in the call with this number."""
        flags.raise_flag(f"go-{label}-{call}")

    def wait_for_end(self, *ids: str, seconds: float = LIMIT_SECONDS) -> None:
        """Wait until these workflows, or all, have ended."""
        rows = Workflow.objects.filter(pk__in=ids) if ids else Workflow.objects.all()
        wait_until(lambda: rows.count() == rows.finished().count(), "the workflows have ended", seconds)

    def marks(self) -> Counter[str]:
        """How often each mark was made."""
        return Counter(Mark.objects.values_list("label", flat=True))

    def assert_reached_only_by(self, pid: int, name: str) -> None:
        """The flag was raised once, by this process."""
        self.assertEqual([pid], flags.processes(name))

    def assert_made_once(self, *labels: str) -> None:
        found = self.marks()
        self.assertEqual(dict.fromkeys(labels, 1), {label: found[label] for label in labels})


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"
