"""The pools of one process: threads for workflows, and an event loop for async ones."""

from __future__ import annotations

from collections.abc import Iterator

from durable_django.engine.ownership import Ownership
from durable_django.models.workflow import Workflow
from durable_django.worker.async_pool import AsyncPool
from durable_django.worker.pool import Pool


class Pools:
    """Both pools, each asked by the kind of workflow that it runs; one that runs alone stops the other, too."""

    def __init__(self, threads: Pool, tasks: AsyncPool) -> None:
        self.threads = threads
        self.tasks = tasks

    def of_kind(self, *, is_async: bool) -> Pool | AsyncPool:
        """Return the pool for one kind of workflows."""
        return self.tasks if is_async else self.threads

    @property
    def busy(self) -> int:
        """How many workflows they hold."""
        return self.threads.busy + self.tasks.busy

    @property
    def is_alone(self) -> bool:
        """Whether one workflow runs beside which nothing may be taken."""
        return self.threads.is_alone or self.tasks.is_alone

    def free(self, *, is_async: bool) -> int:
        """How many workflows of one kind can be taken now."""
        return 0 if self.is_alone else self.of_kind(is_async=is_async).free

    def take_alone(self, workflow: Workflow, owner: Ownership) -> None:
        """Run one workflow, and nothing beside it; only while nothing else runs."""
        self.of_kind(is_async=workflow.is_async).take_alone(workflow, owner)

    def released(self) -> Iterator[str]:
        """Yield, once, the queue of each workflow that has ended or let go here."""
        for pool in (self.threads, self.tasks):
            while pool.released:
                yield pool.released.popleft()

    def stop(self) -> None:
        """End the threads as they become idle."""
        self.threads.stop()
        self.tasks.stop()
