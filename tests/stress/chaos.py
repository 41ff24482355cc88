"""The chaos: worker processes are killed, frozen and told to end, sessions are cut, the database goes away."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from django.db import DatabaseError, InterfaceError, connection, connections, transaction

from durable_django.models import Worker
from durable_django.worker import exits
from tests.crashes.harness import WorkerUnderTest, is_postgresql
from tests.postgres import PostgresServer

SETTINGS = {"LEASE_SECONDS": 3, "HEARTBEAT_SECONDS": 0.5, "POLL_SECONDS": 0.2, "MAX_RECOVERIES": 1000}
SUPERVISORS = 3
_ARGUMENTS = ("--processes", "2", "--threads", "4", "--grace", "5")


class Chaos:
    """A few supervisors with two processes each, and what is done to them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.workers: list[WorkerUnderTest] = []
        self.done: Counter[str] = Counter()
        self.exit_codes: Counter[int] = Counter()
        self._thaws: list[tuple[float, list[int]]] = []
        self._started = 0
        self._server_touched_at = 0.0
        while len(self.workers) < SUPERVISORS:
            self._start_worker()

    def go_on(self, seconds: float) -> None:
        """Do something every now and then, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.2 + self.chance.random())
            self._thaw_due()
            act = self.chance.choice(self._acts())
            act()
            self.done[act.__name__.strip("_").replace("_", " ")] += 1
            self._replace_dead()

    def calm_down(self) -> None:
        """Undo what undoes itself only in time, and see to it that all workers run."""
        self._thaw_due(everything=True)
        self._replace_dead()

    def end(self) -> None:
        """Tell all workers to end; their exit codes are counted."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            self.exit_codes[worker.wait()] += 1

    def reap(self) -> None:
        for worker in self.workers:
            worker.reap()

    def _acts(self) -> list[Callable[[], None]]:
        often = [self._kill_child, self._kill_child, self._freeze_child, self._kill_supervisor, self._kill_both]
        often += [self._tell_to_end, self._freeze_both]
        if not is_postgresql():
            return [*often, self._lock_the_file]
        often += [self._terminate_sessions, self._terminate_sessions]
        if time.monotonic() - self._server_touched_at < 10:
            return often
        return [*often, self._crash_the_server, self._stop_the_server]

    # -- workers ----------------------------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        self._started += 1
        environment = {"DURABLE_TEST_SETTINGS": json.dumps(SETTINGS)}
        self.workers.append(WorkerUnderTest(self.folder / f"worker-{self._started}.log", _ARGUMENTS, environment))

    def _replace_dead(self) -> None:
        """Start another supervisor for each that has ended; its children may still be draining."""
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            if worker.process.returncode == exits.REFUSED:
                raise RuntimeError(worker.log.read_text())
            if not worker.children:
                self.workers.remove(worker)
        while sum(worker.process.poll() is None for worker in self.workers) < SUPERVISORS:
            self._start_worker()

    def _victim(self) -> WorkerUnderTest:
        return self.chance.choice(self.workers)

    def _child_of(self, worker: WorkerUnderTest) -> list[int]:
        children = worker.children
        return [self.chance.choice(children)] if children else []

    def _kill_child(self) -> None:
        _signal(self._child_of(self._victim()), signal.SIGKILL)

    def _kill_supervisor(self) -> None:
        worker = self._victim()
        # Known before they are orphans: then the supervisor's list of them is gone.
        assert worker.children is not None
        worker.process.kill()
        worker.process.wait()

    def _kill_both(self) -> None:
        self._victim().kill_all()

    def _tell_to_end(self) -> None:
        worker = self._victim()
        if worker.process.poll() is None:
            worker.process.terminate()

    def _freeze_child(self) -> None:
        """For less or more than a lease."""
        self._freeze(self._child_of(self._victim()))

    def _freeze_both(self) -> None:
        worker = self._victim()
        self._freeze([worker.process.pid, *worker.children] if worker.process.poll() is None else worker.children)

    def _freeze(self, pids: list[int]) -> None:
        seconds = self.chance.random() * 2.5 * SETTINGS["LEASE_SECONDS"]
        _signal(pids, signal.SIGSTOP)
        self._thaws.append((time.monotonic() + seconds, pids))

    def _thaw_due(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        due = [thaw for thaw in self._thaws if everything or thaw[0] <= now]
        self._thaws = [thaw for thaw in self._thaws if thaw not in due]
        for _at, pids in due:
            _signal(pids, signal.SIGCONT)

    # -- the database -----------------------------------------------------------------------------------------------

    def _terminate_sessions(self) -> None:
        """Cut off about half of the sessions."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5"
                )
        except (DatabaseError, InterfaceError):
            connections.close_all()

    def _crash_the_server(self) -> None:
        if server := PostgresServer.of_this_run():
            connections.close_all()
            server.restart_immediately()
            self._server_touched_at = time.monotonic()

    def _stop_the_server(self) -> None:
        """For less or more than a lease."""
        if server := PostgresServer.of_this_run():
            connections.close_all()
            server.stop("immediate")
            time.sleep(self.chance.random() * 2 * SETTINGS["LEASE_SECONDS"])
            server.start()
            self._server_touched_at = time.monotonic()

    def _lock_the_file(self) -> None:
        """For less or more than a lease; nobody else can write."""
        try:
            with transaction.atomic():
                Worker.objects.touch("nobody")
                time.sleep(self.chance.random() * 1.5 * SETTINGS["LEASE_SECONDS"])
        except DatabaseError:
            connections.close_all()


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
