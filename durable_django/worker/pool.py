"""The pool: threads that run claimed workflows, one each at a time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence

from django.db import DatabaseError, InterfaceError, connections

from durable_django import signals
from durable_django.base import clock
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models.workflow import Workflow
from durable_django.worker import hygiene

Work = tuple[Workflow, Ownership]


class Pool:
    """
    A fixed number of threads. `free` is how many workflows it can take now; `on_free` is called after each one.

    is_alone  it runs one workflow beside which nothing may be taken
    released  the queue of each workflow that it runs no more, in order
    """

    def __init__(self, alias: str, threads: int, on_free: Callable[[], None], on_interrupt: Callable[[], None]) -> None:
        self.alias = alias
        self.size = threads
        self.on_free = on_free
        self.on_interrupt = on_interrupt
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._busy = 0
        self.is_alone = False
        self.released: deque[str] = deque()
        self._threads = [threading.Thread(target=self._run, name=f"durable-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> int:
        """How many workflows it holds."""
        return self._busy

    @property
    def free(self) -> int:
        """How many workflows it can take now."""
        return 0 if self.is_alone else self.size - self._busy

    def take(self, workflows: Sequence[Workflow], owner: Ownership) -> None:
        """Run these workflows, which the owner holds; at most `free` of them."""
        with self._lock:
            self._busy += len(workflows)
        for workflow in workflows:
            self._work.put((workflow, owner))

    def take_alone(self, workflow: Workflow, owner: Ownership) -> None:
        """Run one workflow, and nothing beside it; only while nothing else runs."""
        self.is_alone = True
        self.take([workflow], owner)

    def stop(self) -> None:
        """End the threads as they become idle."""
        for _thread in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        self._connect()
        idle_since = clock.elapsed_seconds()
        while (work := self._work.get()) is not None:
            self._attempt(work, idle_since)
            idle_since = clock.elapsed_seconds()
        connections.close_all()

    def _connect(self) -> None:
        """Connect before there is work, which would have to wait for it; if the database is away, it is waited for."""
        with contextlib.suppress(DatabaseError, InterfaceError):
            connections[self.alias].ensure_connection()

    def _attempt(self, work: Work, idle_since: float) -> None:
        workflow, owner = work
        try:
            with hygiene.unit_of_work(idle_since=idle_since):
                attempts.attempt(workflow, owner, self.alias)
        except KeyboardInterrupt:
            self.on_interrupt()
        except BaseException as error:  # noqa: BLE001 - one workflow must not end the thread of others
            # An error of the engine itself, which may have come before there was an attempt that puts it down.
            owner.put_down((workflow.pk, workflow.attempt))
            owner.has_strays.set()
            signals.worker_failed.send_robust(
                sender=None, worker_id=owner.worker_id, what=f"running workflow {workflow.pk}", error=error
            )
        finally:
            self._has_ended(workflow)

    def _has_ended(self, workflow: Workflow) -> None:
        self.released.append(workflow.queue)
        with self._lock:
            # In this order: whoever sees an idle pool may make it run another one alone.
            self.is_alone = False
            self._busy -= 1
        self.on_free()
