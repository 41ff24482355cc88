"""Ownership: by which right a process runs workflows, and when it must stop by its own clock."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from durable_django.base import clock
from durable_django.base.interrupts import LeaseLost, Released
from durable_django.engine.sessions import OpenSessions

#: The process stops so much of a lease earlier than others may take over: clocks of two machines drift apart.
_MARGIN = 0.05


class TimedCall(Protocol):
    """A call of a step, as far as its timeout is concerned."""

    @property
    def timeout_seconds(self) -> float | None:
        """The longest time that one call of the body may take."""


class Claim(Protocol):
    """A claimed workflow, as far as holding it is concerned."""

    pk: Any
    attempt: int


ClaimType = TypeVar("ClaimType", bound=Claim)


class StepTimeouts:
    """The running steps that have a timeout; the heartbeat thread asks for those that are over it."""

    def __init__(self) -> None:
        self._ends: dict[int, tuple[float, Any]] = {}
        self._late: set[int] = set()
        self._lock = threading.Lock()
        self.changed = threading.Event()

    @contextmanager
    def watching(self, call: TimedCall) -> Iterator[None]:
        """Watch a call while the block runs; free of cost if it has no timeout."""
        if call.timeout_seconds is None:
            yield
            return
        self._ends[id(call)] = (clock.elapsed_seconds() + call.timeout_seconds, call)
        self.changed.set()
        try:
            yield
        finally:
            with self._lock:
                self._ends.pop(id(call), None)
                self._late.discard(id(call))

    def seconds_until_next(self) -> float | None:
        """Return the time until the next timeout, or None if nothing is watched."""
        ends = [end for end, _call in list(self._ends.values())]
        return max(0.0, min(ends) - clock.elapsed_seconds()) if ends else None

    def due(self) -> list[Any]:
        """Return the calls that are over their timeout."""
        now = clock.elapsed_seconds()
        return [call for end, call in list(self._ends.values()) if end <= now]

    def forget(self, call: TimedCall, *, is_late: bool = False) -> None:
        """
        Watch a call no longer.

        is_late  its timeout is recorded; while it still holds its thread, it counts as late
        """
        with self._lock:
            # Not watched any more: it has left its thread meanwhile.
            if self._ends.pop(id(call), None) is not None and is_late:
                self._late.add(id(call))

    @property
    def late(self) -> int:
        """How many threads are held by calls past their timeout."""
        return len(self._late)


class Ownership:
    """
    The lease of one Worker row as the process itself sees it.

    worker_id      the id in the Worker row and in each Workflow row that it holds
    lease_seconds  how long one heartbeat is good for; infinite where nobody can take over (tests)
    draining       set when the process shuts down: what it runs is given back at its next step
    leaving        set when an operator drains it: what it runs goes on to its end
    held           id and attempt of the workflows that this process runs or is about to run
    boards         what each of its async workflows is doing, by id
    has_strays     set when the database may say that it holds more than that: a claim whose COMMIT got no answer, an
                   attempt that could not write how it ended. While the process lives no janitor would take them away

    A process that was frozen, or cut off from the database, finds by its own clock that its lease has passed before
    the database lets others take over; every step start asks that clock, without a query.
    """

    def __init__(self, worker_id: str, lease_seconds: float = math.inf) -> None:
        self.worker_id = worker_id
        self.lease_seconds = lease_seconds
        self.draining = threading.Event()
        self.leaving = threading.Event()
        self.held: set[tuple[str, int]] = set()
        self.boards: dict[str, Any] = {}
        self.has_strays = threading.Event()
        self.timeouts = StepTimeouts()
        self.sessions = OpenSessions()
        self._expires_at = math.inf if math.isinf(lease_seconds) else self.expiry_from(clock.elapsed_seconds())
        self._is_lost = False
        self._held = 0
        self._lock = threading.Lock()

    def take_up(self, claims: Iterable[ClaimType]) -> list[ClaimType]:
        """
        Hold what was claimed. Return it without what is in hand already.

        That is claimed twice whose first claim the database lost in a crash (models/commits.py). What runs goes on:
        the second claim makes it the owner again.
        """
        given = [claim for claim in claims if (claim.pk, claim.attempt) not in self.held]
        self.held.update((claim.pk, claim.attempt) for claim in given)
        return given

    def expiry_from(self, asked_at: float) -> float:
        """Return when a lease ends that was asked for at a moment of elapsed_seconds()."""
        return asked_at + self.lease_seconds * (1 - _MARGIN)

    def extend_from(self, asked_at: float) -> None:
        """Extend the lease: the database granted it after it was asked for, hence not later than it says."""
        with self._lock:
            self._expires_at = max(self._expires_at, self.expiry_from(asked_at))

    def lose(self) -> None:
        """End the lease for good: the row says that it passed, or is gone."""
        with self._lock:
            self._is_lost = True

    def has_passed(self) -> bool:
        """Whether the process may no longer act for its workflows."""
        return self._is_lost or (clock.elapsed_seconds() >= self._expires_at and not self._held)

    @property
    def is_holding(self) -> bool:
        """Whether a write transaction of this process is open on SQLite: nobody else can write meanwhile."""
        return self._held > 0

    @property
    def is_claiming(self) -> bool:
        """Whether the process may claim more."""
        return not (self.draining.is_set() or self.leaving.is_set())

    def require_lease(self) -> None:
        """Raise LeaseLost if the lease has passed."""
        if self.has_passed():
            raise LeaseLost

    def require_going_on(self) -> None:
        """Raise what forbids the next step: LeaseLost, or Released while the process shuts down."""
        self.require_lease()
        if self.draining.is_set():
            raise Released

    def pause(self, seconds: float) -> None:
        """Sleep, but not longer than until the process begins to shut down."""
        if self.draining.is_set():
            time.sleep(seconds)
        else:
            self.draining.wait(seconds)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """
        Keep the lease while the process's own write transaction is open on SQLite.

        Nobody else can write meanwhile: neither a heartbeat nor a recovery. The transaction itself extends the lease
        as its last write.
        """
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
