"""
The supervisor: a process without threads that starts worker processes and replaces those that die.

Children are started by subprocess, never by fork, and share nothing with it but a pipe: if the supervisor dies, the
child reads EOF, drains and exits; if a child dies, the supervisor expires its lease, so that others take over at once.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType

from django.db import DatabaseError, InterfaceError, connections

from durable_django import signals
from durable_django.base import clock, hosts, logs
from durable_django.conf import durable_settings
from durable_django.engine import context
from durable_django.models.worker import Worker, WorkerQuerySet
from durable_django.worker import alerts, boot, exits
from durable_django.worker.options import WorkerOptions
from durable_django.worker.process import WorkerProcess

_OPTIONS = "DURABLE_DJANGO_WORKER_OPTIONS"
_LIFELINE = "DURABLE_DJANGO_WORKER_LIFELINE"
#: A child that lived this long was healthy: its replacement starts at once.
_HEALTHY_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 10.0
#: How long it waits for a database that hangs.
_PATIENCE_SECONDS = 3


def run_child(environment: Mapping[str, str]) -> int:
    """Be one worker process, as the supervisor's environment says. Return the exit code."""
    options = WorkerOptions.from_json(environment[_OPTIONS])
    logs.show_on_terminal(is_quiet=options.is_quiet)
    return WorkerProcess(options, int(environment[_LIFELINE])).run()


@dataclass
class Child:
    """
    One place for a worker process, and the process in it.

    born_at     when the process began, as its row says; empty where the system does not say
    stopped_at  since when it is seen stopped by SIGSTOP; None while it runs
    is_drained  an operator has drained the process that was in it
    """

    process: subprocess.Popen[bytes] | None = None
    lifeline: int = -1
    born_at: str = ""
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    code: int | None = None
    stopped_at: float | None = None
    is_drained: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself and is not to be replaced."""
        return self.code is not None

    def drain(self) -> None:
        """Let nobody take the place of a process that was told to drain and has died before it could."""
        self.is_drained = True
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)


def _code_of(code: int) -> int:
    """Return the exit code that a child's stands for; one that a first TERM still killed had not begun to claim."""
    if code == -signal.SIGTERM:
        return exits.DRAINED
    return exits.CUT_SHORT if code < 0 else code


class Supervisor:
    """The parent of `processes` worker processes."""

    def __init__(self, options: WorkerOptions) -> None:
        self.options = options
        self.children = [Child() for _ in range(options.processes)]
        self.stop_signals = 0
        self._ended: dict[tuple[int, str], Child] = {}

    def run(self) -> int:
        """Keep the children alive until a signal, or until all have ended by themselves. Return the exit code."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        while not all(child.has_ended for child in self.children):
            self._turn()
            ready, _writable, _failed = select.select([reader], [], [], self._seconds_to_wait())
            if ready:
                os.read(reader, 4096)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            # An impatient further one would kill the interpreter while it ends, and the exit code with it.
            signal.signal(number, signal.SIG_IGN)
        return max((child.code or 0) for child in self.children)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_signals += 1
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)

    def _turn(self) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child)
            if child.process is not None:
                self._kill_if_frozen(child, child.process)
            if child.process is None and not child.has_ended:
                self._start_when_due(child)
        self._expire_leases()

    @staticmethod
    def _kill_if_frozen(child: Child, process: subprocess.Popen[bytes]) -> None:
        """
        Kill a child that has been stopped for longer than its lease: it owns nothing any more.

        PostgreSQL would end its open transaction by itself; on SQLite it may hold the write lock, which only its end
        gives back.
        """
        if not hosts.is_stopped(process.pid):
            child.stopped_at = None
            return
        now = clock.elapsed_seconds()
        child.stopped_at = now if child.stopped_at is None else child.stopped_at
        if now - child.stopped_at > durable_settings.LEASE_SECONDS:
            process.kill()

    def _seconds_to_wait(self) -> float:
        now = clock.elapsed_seconds()
        waits = [child.start_at - now for child in self.children if child.process is None and not child.has_ended]
        return max(0.0, min([1.0, *waits]))

    def _start_when_due(self, child: Child) -> None:
        if self.stop_signals or child.is_drained:
            child.code = child.code or exits.DRAINED
        elif clock.elapsed_seconds() >= child.start_at:
            self._start(child)

    def _start(self, child: Child) -> None:
        reader, child.lifeline = os.pipe()
        environment = {
            **os.environ,
            _OPTIONS: self.options.to_json(),
            _LIFELINE: str(reader),
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),  # noqa: PTH109 - as sys.path means it
        }
        flags = [f"-W{option}" for option in sys.warnoptions]
        child.process = subprocess.Popen(  # noqa: S603 - our own module, no input in the arguments
            [sys.executable, *flags, "-m", "durable_django.worker"],
            env=environment,
            pass_fds=[reader],
            # A group of its own: Ctrl-C reaches the supervisor alone, which passes it on once.
            process_group=0,
        )
        os.close(reader)
        child.started_at, child.stopped_at = clock.elapsed_seconds(), None
        child.born_at = hosts.process_started_at(child.process.pid)
        if self.stop_signals:
            # The signal came while the child was being made, and has not reached it.
            child.process.send_signal(signal.SIGTERM)

    def _bury(self, child: Child) -> None:
        """Decide whether another takes the place of a child that has ended; its lease is expired later."""
        process, child.process = child.process, None
        assert process is not None  # noqa: S101 - narrows the type; _turn() has looked
        os.close(child.lifeline)
        code = process.returncode
        self._ended[process.pid, child.born_at] = child
        if code == exits.MISCONFIGURED:
            child.code = exits.REFUSED
            return
        if self.stop_signals or child.is_drained or code == exits.DRAINED:
            child.code = _code_of(code)
            return
        was_healthy = clock.elapsed_seconds() - child.started_at >= _HEALTHY_SECONDS
        child.failures = 0 if was_healthy or code == exits.RELOAD else child.failures + 1
        pause = min(0.1 * 2**child.failures, _LONGEST_PAUSE_SECONDS) if child.failures > 1 else 0.0
        child.start_at = clock.elapsed_seconds() + pause

    def _expire_leases(self) -> None:
        """
        Expire the leases of children that have ended.

        Last in a turn, when others have taken their places, and with little patience: the database may hang.
        """
        ended, self._ended = self._ended, {}
        if not ended:
            return
        alias = context.alias_of_workflows()
        try:
            with boot.giving_up_after(_PATIENCE_SECONDS, alias):
                here = Worker.objects.using(alias).on_host(**hosts.host())
                self._expire(here.filter(pid__in=[pid for pid, _born_at in ended]), ended)
                alerts.tell_of_lost_workers(alias)
        except (DatabaseError, InterfaceError) as error:
            # Then the lease runs out by itself, or a neighbour sees that the process is gone.
            signals.database_away.send_robust(sender=None, what="expire a lease", error=error, delay_seconds=0)
        finally:
            connections.close_all()

    @staticmethod
    def _expire(rows: WorkerQuerySet, ended: Mapping[tuple[int, str], Child]) -> None:
        columns = ("pk", "pid", "process_started_at", "must_drain")
        for worker_id, pid, born_at, must_drain in list(rows.values_list(*columns)):
            # A child that was started meanwhile may have the number of a dead one.
            if not hosts.is_gone(pid, born_at):
                continue
            rows.filter(pk=worker_id).expire()
            if must_drain and (pid, born_at) in ended:
                ended[pid, born_at].drain()
