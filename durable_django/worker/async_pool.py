"""The async pool: one event loop, in a thread of its own, that runs claimed async workflows side by side."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from durable_django import signals
from durable_django.engine import attempts, context
from durable_django.engine.asides import AwakeThreads
from durable_django.engine.ownership import Ownership
from durable_django.models.workflow import Workflow
from durable_django.worker.database_threads import DatabaseThreads


class AsyncPool:
    """
    At most `size` workflows at the same time. `free` is how many it can take now; `on_free` is called after each one.

    is_alone  it runs one workflow beside which nothing may be taken
    released  the queue of each workflow that it runs no more, in order

    The event loop begins with the first workflow: a project without async ones pays nothing.
    """

    def __init__(
        self, alias: str, size: int, connections: int, on_free: Callable[[], None], on_interrupt: Callable[[], None]
    ) -> None:
        self.alias = alias
        self.size = size
        self.on_free = on_free
        self.on_interrupt = on_interrupt
        self.threads = DatabaseThreads(connections)
        self._lock = threading.Lock()
        self._busy = 0
        self.is_alone = False
        self.released: deque[str] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ended = False
        self._loop: asyncio.AbstractEventLoop | None = None

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
        if not workflows:
            return
        with self._lock:
            self._busy += len(workflows)
        loop = self._loop or self._begin()
        for workflow in workflows:
            loop.call_soon_threadsafe(self._start, loop, workflow, owner)

    def take_alone(self, workflow: Workflow, owner: Ownership) -> None:
        """Run one workflow, and nothing beside it; only while nothing else runs."""
        self.is_alone = True
        self.take([workflow], owner)

    def stop(self) -> None:
        """End the event loop."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(self._end, loop)

    def _begin(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(_task)
        threading.Thread(target=self._run, args=(self._loop,), name="durable-async", daemon=True).start()
        return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while not self._is_ended:
            # Out of a task that the workflow's code has made itself these come through the loop, which goes on: whoever
            # awaits the task gets them, too.
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                loop.run_forever()
        if not self._tasks:
            loop.close()

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_ended = True
        self.threads.stop()
        loop.stop()

    def _start(self, loop: asyncio.AbstractEventLoop, workflow: Workflow, owner: Ownership) -> None:
        attempt = self._attempt(workflow, owner)
        # A context of its own: what one workflow sets in it no other one sees.
        task = loop.create_task(attempt, name=workflow.pk, context=contextvars.Context())
        # The loop itself keeps only weak references. Not by id: the next attempt may begin before this one has ended.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, workflow: Workflow, owner: Ownership) -> None:
        try:
            await attempts.aattempt(workflow, owner, self.alias, AwakeThreads(self.threads, owner, self.alias))
        except KeyboardInterrupt:
            self.on_interrupt()
        except BaseException as error:  # noqa: BLE001 - one workflow must not end the loop of others
            # An error of the engine itself, which may have come before there was an attempt that puts it down.
            owner.put_down((workflow.pk, workflow.attempt))
            owner.has_strays.set()
            signals.worker_failed.send_robust(
                sender=None, worker_id=owner.worker_id, what=f"running workflow {workflow.pk}", error=error
            )
        finally:
            self.released.append(workflow.queue)
            with self._lock:
                # In this order: whoever sees an idle pool may make it run another one alone.
                self.is_alone = False
                self._busy -= 1
            self.on_free()


def _task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task, which the board of the workflow whose own code wants it ends with the attempt."""
    task = asyncio.Task(coro, loop=loop, **options)
    context.adopt(task)
    return task
