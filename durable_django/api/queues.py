"""Queue: a named line of workflows with its limits, declared in code."""

from __future__ import annotations

from typing import Any

from durable_django.api.declaring import LONGEST_NAME, is_name
from durable_django.base import registry
from durable_django.base.limits import Rate, limits_of
from durable_django.engine import context
from durable_django.exceptions import RegistrationError
from durable_django.models.queue import Queue as QueueRow
from durable_django.models.queue import QueueQuerySet

__all__ = ["Queue", "Rate"]


class Queue:
    """
    Declare a queue: emails = Queue("emails", concurrency=50, rate=Rate(100, per=60)).

    concurrency            workflows that run at the same time, on all workers; one that waits holds no slot
    worker_concurrency     the same, for each worker process
    rate                   at most so many starts in any sliding window; recoveries and continuations are no starts
    partitioned            every start gives a partition key; partitions are served in turn
    partition_concurrency  workflows of one partition that run at the same time; makes the queue partitioned
    partition_rate         the same as rate, for each partition; makes the queue partitioned

    None: no limit; 0: nothing starts. The row is made, or given these limits, when a worker boots and by `migrate`;
    whoever boots last wins, and an operator's edit() of the row wins over all code until revert(). A limit that is
    lowered stops nothing that runs: the next claim of every worker honours it.

    Raises RegistrationError for a name that is blank, too long or carries control characters, for limits that are out
    of range or contradict each other, and for a queue that is declared twice in different ways.
    """

    def __init__(  # noqa: PLR0913 - one keyword per limit
        self,
        name: str,
        *,
        concurrency: int | None = None,
        worker_concurrency: int | None = None,
        rate: Rate | None = None,
        partitioned: bool | None = None,
        partition_concurrency: int | None = None,
        partition_rate: Rate | None = None,
    ) -> None:
        if not is_name(name):
            raise RegistrationError(
                message=f"A queue's name must have 1 to {LONGEST_NAME} printable characters, got {name!r}."
            )
        self.name = name
        try:
            self.limits = limits_of(
                concurrency=concurrency,
                worker_concurrency=worker_concurrency,
                rate=rate,
                partitioned=partitioned,
                partition_concurrency=partition_concurrency,
                partition_rate=partition_rate,
            )
        except (TypeError, ValueError) as error:
            raise RegistrationError(message=f"Queue {name!r}: {error}") from error
        registry.queues.add(name, self.limits)

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"

    def pause(self) -> None:
        """Stop every worker from claiming from this queue; what runs goes on."""
        self._row().pause()

    def resume(self) -> None:
        """Let workers claim from this queue again."""
        self._row().resume()

    def edit(self, **given: Any) -> None:
        """
        Change limits of the queue, which then win over those of the code until revert().

        given  the keywords of Queue(); None takes a limit away, others stay as they are

        Raises TypeError or ValueError, naming the argument, also for one that contradicts what stays.
        """
        self._row().edit(**given)

    def revert(self) -> None:
        """Give the queue the limits back that the code declares."""
        rows = self._row()
        rows.sync({self.name: self.limits})
        rows.revert()

    def _row(self) -> QueueQuerySet:
        rows: QueueQuerySet = QueueRow.objects.using(context.alias_of_workflows())
        rows.sync({self.name: self.limits} if not rows.filter(pk=self.name).exists() else {})
        return rows.filter(pk=self.name)
