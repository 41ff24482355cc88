"""
The heartbeat: a thread with a connection of its own that extends the lease, hears the bell and times steps out.

It never waits for a step, a claim or the project's connection pool, so a healthy process keeps its lease however
long its steps take.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from durable_django import signals
from durable_django.base import clock
from durable_django.conf import durable_settings
from durable_django.engine import faults, leasing, retrying, stopping, wakeups
from durable_django.engine.faults import Fault
from durable_django.worker import boot

#: Longest time at the bell: within it a step that has just begun with a timeout is noticed.
_GLANCE_SECONDS = 0.5
#: Shortest: a timeout that cannot be recorded, since somebody holds the row or SQLite's writer, is due all the while.
_TRY_AGAIN_SECONDS = 0.05
_BETWEEN_INTERRUPTIONS_SECONDS = 0.25


class Heartbeat:
    """
    Keeps the process's Ownership. If the lease was lost, it registers a new Worker row, under a new id.

    owner    the present right to run workflows; an attempt keeps the one it was claimed under
    on_ring  called when somebody rang, and whenever the lease began anew
    """

    def __init__(self, alias: str, on_ring: Callable[[], None], **facts: Any) -> None:
        self.alias = alias
        self.on_ring = on_ring
        self.facts = facts
        self.owner = leasing.register(alias, **facts)
        self._must_interrupt = False
        self._next_interruption_at = 0.0
        self._next_beat_at = clock.elapsed_seconds() + durable_settings.HEARTBEAT_SECONDS
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="durable-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the lease. Call it when the process holds nothing more, or will hold nothing more."""
        self._stopping.set()
        self._thread.join(timeout=2 * _GLANCE_SECONDS + 1)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs; a process whose heartbeat died must not go on."""
        return self._thread.is_alive()

    def _run(self) -> None:
        boot.separate_from_pool(self.alias)
        failures = 0
        while not self._stopping.is_set():
            try:
                self._turn(wakeups.bell(self.alias))
                failures = 0
            except (DatabaseError, InterfaceError) as error:
                failures += 1
                self._rest(error, failures)
        self._end()

    def _turn(self, bell: wakeups.Bell) -> None:
        """Go on until something breaks or the process stops; a new bell is made after each break."""
        self._beat_if_due()
        while not self._stopping.is_set():
            if bell.wait(self._seconds_to_wait()):
                self.on_ring()
                self._must_interrupt = True
            self._interrupt_stopped()
            self._time_out_steps()
            self._beat_if_due()

    def _seconds_to_wait(self) -> float:
        until_beat = self._next_beat_at - clock.elapsed_seconds()
        until_timeout = self.owner.timeouts.seconds_until_next()
        until_next = min(_GLANCE_SECONDS, until_beat, _GLANCE_SECONDS if until_timeout is None else until_timeout)
        return max(_TRY_AGAIN_SECONDS, until_next)

    def _beat_if_due(self) -> None:
        if clock.elapsed_seconds() < self._next_beat_at:
            return
        self._must_interrupt = True
        if self.owner.has_passed() or not leasing.beat(self.owner, self.alias):
            self._begin_anew()
        self.owner.sessions.keep_awake()
        self._next_beat_at = clock.elapsed_seconds() + durable_settings.HEARTBEAT_SECONDS

    def _interrupt_stopped(self) -> None:
        """Interrupt async workflows that were cancelled or paused, if any may be; not for each of many rings."""
        if self._must_interrupt and clock.elapsed_seconds() >= self._next_interruption_at:
            self._must_interrupt = False
            self._next_interruption_at = clock.elapsed_seconds() + _BETWEEN_INTERRUPTIONS_SECONDS
            stopping.interrupt_stopped(self.owner, self.alias)

    def _begin_anew(self) -> None:
        """Leave everything that was held to whoever recovers it, and go on as another worker."""
        lost, self.owner = self.owner, leasing.register_again(self.owner, self.alias, **self.facts)
        lost.lose()
        stopping.interrupt_lost(lost)
        self.on_ring()

    def _time_out_steps(self) -> None:
        timeouts = self.owner.timeouts
        if self.owner.is_holding:
            # On SQLite nobody can write now; the next glance is soon.
            return
        for call in timeouts.due():
            try:
                has_timed_out = retrying.time_out(call)
            except DatabaseError as error:
                if faults.classify(error) is not Fault.TIMED_OUT:
                    raise
                continue
            timeouts.forget(call, is_late=has_timed_out)
            if has_timed_out:
                self.on_ring()

    def _rest(self, error: Exception, failures: int) -> None:
        delay = min(0.1 * 2 ** min(failures, 6), 2.0) * (0.5 + random.random())  # noqa: S311 - spreads load
        signals.database_away.send_robust(sender=None, what="keep the lease", error=error, delay_seconds=delay)
        connections[self.alias].close()
        self._next_beat_at = min(self._next_beat_at, clock.elapsed_seconds())
        self._stopping.wait(delay)

    def _end(self) -> None:
        try:
            leasing.end(self.owner, self.alias)
        except (DatabaseError, InterfaceError) as error:
            signals.database_away.send_robust(sender=None, what="end the lease", error=error, delay_seconds=0)
        connections.close_all()
