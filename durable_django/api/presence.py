"""
Presence: the Worker row and the heartbeat of a process that runs workflows by plain calls.

Made by the first plain call of a process (after a fork, again), given up a lease after the last one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connections

from durable_django import signals
from durable_django.base import clock
from durable_django.conf import durable_settings
from durable_django.engine import leasing, stopping
from durable_django.engine.ownership import Ownership
from durable_django.engine.strays import Strays


class Presence:
    """One database's heartbeat in this process."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.pid = os.getpid()
        self.owner = leasing.register(alias, name="plain calls", takes_slots=False)
        self.calls = 0
        self.strays = Strays(alias)
        self.last_used_at = clock.elapsed_seconds()
        threading.Thread(target=self._beat, name="durable-presence", daemon=True).start()

    @property
    def is_usable(self) -> bool:
        """Whether it belongs to this process and its lease stands."""
        return self.pid == os.getpid() and not self.owner.has_passed()

    def _beat(self) -> None:
        try:
            while not self._is_idle():
                self._watch_until_beat()
                self._try("send a heartbeat", self._beat_once)
                if self.owner.has_passed():
                    stopping.interrupt_lost(self.owner)
                    return
            leasing.end(self.owner, self.alias)
        except (DatabaseError, InterfaceError) as error:
            signals.database_away.send_robust(sender=None, what="end a lease", error=error, delay_seconds=0)
        finally:
            connections.close_all()

    def _watch_until_beat(self) -> None:
        """Interrupt async workflows that were cancelled or paused, until the next heartbeat is due."""
        beat_at = clock.elapsed_seconds() + durable_settings.HEARTBEAT_SECONDS
        while (left := beat_at - clock.elapsed_seconds()) > 0:
            time.sleep(min(left, durable_settings.POLL_SECONDS))
            self._try("look for workflows that were stopped", self._interrupt_stopped)

    def _interrupt_stopped(self) -> None:
        stopping.interrupt_stopped(self.owner, self.alias)

    def _beat_once(self) -> None:
        leasing.beat(self.owner, self.alias)
        self.strays.put_back_when_due(self.owner)

    def _try(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except (DatabaseError, InterfaceError) as error:
            signals.database_away.send_robust(sender=None, what=what, error=error, delay_seconds=0)
            connections[self.alias].close()

    def _is_idle(self) -> bool:
        with _lock:
            is_idle = not self.calls and clock.elapsed_seconds() - self.last_used_at > durable_settings.LEASE_SECONDS
            if is_idle and _presences.get(self.alias) is self:
                del _presences[self.alias]
            return is_idle


_lock = threading.Lock()
_presences: dict[str, Presence] = {}


@contextmanager
def present(alias: str) -> Iterator[Ownership]:
    """Give the block the right to run workflows in this process."""
    presence = _enter(alias)
    try:
        yield presence.owner
    except BaseException:
        # What it inserted or claimed in vain may have been committed all the same; Ctrl-C comes at any moment.
        presence.owner.has_strays.set()
        raise
    finally:
        with _lock:
            presence.calls -= 1
            presence.last_used_at = clock.elapsed_seconds()


def _enter(alias: str) -> Presence:
    with _lock:
        presence = _presences.get(alias)
        if presence is None or not presence.is_usable:
            presence = _presences[alias] = Presence(alias)
        presence.calls += 1
        return presence
