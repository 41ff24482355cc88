"""
One worker process: the child of a supervisor.

The main thread runs the loop and takes signals, whose handlers only set flags. It ends when it is told to, when its
supervisor is gone, when its work is done, or when a source file has changed.
"""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

from django.db import DatabaseError, InterfaceError, connections

from durable_django import signals
from durable_django.base import clock, registry
from durable_django.conf import durable_settings
from durable_django.engine import context, faults, wakeups
from durable_django.engine.faults import Fault
from durable_django.worker import boot, exits, reload
from durable_django.worker.async_pool import AsyncPool
from durable_django.worker.heartbeat import Heartbeat
from durable_django.worker.janitor import Janitor
from durable_django.worker.loop import Loop
from durable_django.worker.options import WorkerOptions
from durable_django.worker.pool import Pool
from durable_django.worker.pools import Pools
from durable_django.worker.wake import Wake

#: A signal to a whole group of processes reaches a child twice, the second time through its supervisor.
_ONE_SIGNAL_SECONDS = 0.3


class WorkerProcess:
    """
    The life of one process: boot, turns, drain.

    lifeline  file descriptor that reads EOF when the supervisor is gone; None without one
    """

    def __init__(self, options: WorkerOptions, lifeline: int | None) -> None:
        self.options = options
        self.lifeline = lifeline
        self.alias = context.alias_of_workflows()
        self.wake = Wake()
        self.stop_signals = 0
        self._signalled_at = 0.0
        self.exit_code = exits.DRAINED
        self.reason = ""

    def run(self) -> int:
        """Live until the end. Return the exit code."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        boot.prepare_connections(self.alias)
        self._boot_when_answered()
        if not self.stop_signals:
            self._work()
        signals.worker_stopped.send_robust(sender=None, worker_id=self._worker_id(), reason=self.reason)
        connections.close_all()
        return self.exit_code

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        now = clock.elapsed_seconds()
        if not self.stop_signals or now - self._signalled_at > _ONE_SIGNAL_SECONDS:
            self.stop_signals += 1
            self._signalled_at = now
        self.reason = self.reason or signal.Signals(number).name
        self.wake.set()

    # -- boot -------------------------------------------------------------------------------------------------------

    def _boot_when_answered(self) -> None:
        """Register the worker as soon as the database answers: it may well start later than this process."""
        delay = 0.1
        while not self.stop_signals:
            try:
                self._boot()
            except (DatabaseError, InterfaceError) as error:
                if faults.classify(error) is Fault.PERMANENT:
                    self._refuse(error)
                    return
                signals.database_away.send_robust(sender=None, what="boot", error=error, delay_seconds=delay)
                connections[self.alias].close()
                self.wake.wait(delay)
                delay = min(delay * 2, 2.0)
            else:
                return

    def _refuse(self, error: BaseException) -> None:
        """End with the reason: a table or a right is missing, which waiting does not mend."""
        signals.worker_failed.send_robust(sender=None, worker_id="", what="booting", error=error)
        self.stop_signals, self.exit_code, self.reason = 1, exits.MISCONFIGURED, f"it cannot boot: {error}"

    def _boot(self) -> None:
        # First: what is edited from now on is noticed.
        self.changes = reload.Changes() if self.options.reload else None
        boot.sync_queues(self.alias)
        boot.sync_schedules(self.alias)
        Janitor(self.alias).forget_old_workers()
        self.heartbeat = Heartbeat(
            self.alias,
            self._on_ring,
            name=self.options.name,
            queues=self._served(),
            threads=self.options.threads,
        )
        self.pools = Pools(
            Pool(self.alias, self.options.threads, self._on_free, self._on_interrupt),
            AsyncPool(
                self.alias,
                self.options.async_concurrency,
                durable_settings.ASYNC_CONNECTIONS,
                self._on_free,
                self._on_interrupt,
            ),
        )
        self.loop = Loop(self.alias, self.options, self.pools, self.heartbeat, self.wake)
        wakeups.hear(self.alias, self._on_ring)
        signals.worker_started.send_robust(
            sender=None,
            worker_id=self._worker_id(),
            queues=tuple(self._served() or registry.queues.names()),
            threads=self.options.threads,
        )

    def _served(self) -> list[str]:
        """Return the declared queues that it claims from; nothing for all."""
        if not (self.options.queues or self.options.exclude_queues):
            return []
        return [name for name in registry.queues.names() if self.options.serves(name)]

    def _worker_id(self) -> str:
        heartbeat = getattr(self, "heartbeat", None)
        return heartbeat.owner.worker_id if heartbeat else ""

    def _on_ring(self) -> None:
        loop = getattr(self, "loop", None)
        if loop is not None:
            loop.ring()

    def _on_free(self) -> None:
        """Wake the loop, unless it waits for more slots than one."""
        loop = getattr(self, "loop", None)
        if loop is None or not loop.is_waiting_for_slots:
            self.wake.set()

    def _on_interrupt(self) -> None:
        """User code raised KeyboardInterrupt: the same as INT."""
        self.stop_signals += 1
        self.reason = self.reason or "KeyboardInterrupt"
        self.wake.set()

    # -- turns ------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._must_end():
            seconds = self.loop.turn()
            if seconds > 0 and not self.stop_signals:
                self.wake.wait(min(seconds, 1.0))
            self.wake.clear()
        self._drain()

    def _must_end(self) -> bool:
        if self.stop_signals:
            return True
        if self._is_supervisor_gone():
            self.reason = "the supervisor is gone"
        elif not self.heartbeat.is_alive:
            self.reason, self.exit_code = "the heartbeat thread died", exits.CUT_SHORT
        elif self.changes is not None and self.changes.found():
            self.reason, self.exit_code = "a source file changed", exits.RELOAD
        elif self.heartbeat.owner.leaving.is_set() and not self.pools.busy:
            self.reason = "an operator has drained it"
        elif self.options.max_workflows and self.loop.claimed >= self.options.max_workflows and not self.pools.busy:
            self.reason = f"{self.loop.claimed} workflows were run"
        elif self.heartbeat.owner.timeouts.late >= self.options.threads:
            self.reason, self.exit_code = "steps past their timeout hold every thread", exits.CUT_SHORT
        elif self.options.until_idle and self.loop.is_idle and not self.pools.busy:
            self.reason = "nothing is left to run"
        return bool(self.reason)

    def _is_supervisor_gone(self) -> bool:
        if self.lifeline is None:
            return False
        readable, _writable, _failed = select.select([self.lifeline], [], [], 0)
        return bool(readable) and os.read(self.lifeline, 1) == b""

    # -- drain ------------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Claim nothing more; running workflows are given back at their next step. A second signal ends at once."""
        owner = self.heartbeat.owner
        owner.draining.set()
        signals_so_far = max(self.stop_signals, 1)
        end = clock.elapsed_seconds() + self.options.grace_seconds
        while self.pools.busy and self.stop_signals <= signals_so_far and clock.elapsed_seconds() < end:
            time.sleep(0.02)
        if self.pools.busy:
            self.exit_code = exits.CUT_SHORT
            self.reason += f"; {self.pools.busy} workflows were cut short"
        self.pools.stop()
        self.heartbeat.stop()
