"""Why a workflow that could run is not claimed: its queue is paused, or its limits leave no room."""

from __future__ import annotations

from durable_django.models.queue import Queue, QueueStart
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow


def reason(workflow: Workflow, alias: str) -> str:
    """Return what holds it back in one sentence; empty if nothing does. At most five queries, each by an index."""
    queue = Queue.objects.using(alias).filter(pk=workflow.queue).first()
    if queue is None:
        return ""
    if queue.is_paused:
        return f"queue {queue.name!r} is paused"
    if workflow.run_after is not None or workflow.worker:
        return ""
    return _slots(workflow, queue, alias) or _starts(workflow, queue, alias)


def _slots(workflow: Workflow, queue: Queue, alias: str) -> str:
    if queue.concurrency is None and queue.partition_concurrency is None:
        return ""
    callers = Worker.objects.using(alias).filter(takes_slots=False)
    rows = Workflow.objects.using(alias).filter(queue=queue.name, worker__isnull=False)
    held = list(rows.exclude(worker__in=callers.values("pk")).values_list("partition_key", flat=True))
    if queue.concurrency is not None and len(held) >= queue.concurrency:
        return f"queue {queue.name!r} runs as many as it may: {queue.concurrency}"
    most = queue.partition_concurrency
    if queue.is_partitioned and most is not None and held.count(workflow.partition_key) >= most:
        return f"partition {workflow.partition_key!r} of queue {queue.name!r} runs as many as it may: {most}"
    return ""


def _starts(workflow: Workflow, queue: Queue, alias: str) -> str:
    """Return which rate is used up; what was claimed before is no start, and waits for none."""
    if workflow.attempt:
        return ""
    starts = QueueStart.objects.using(alias)
    limit, seconds = queue.rate_limit, queue.rate_seconds
    if limit is not None and seconds is not None and starts.within(queue.name, seconds).count() >= limit:
        return f"queue {queue.name!r} has had its {limit} starts in {seconds:g} s"
    limit, seconds = queue.partition_rate_limit, queue.partition_rate_seconds
    if not queue.is_partitioned or limit is None or seconds is None:
        return ""
    if starts.within(queue.name, seconds).filter(partition_key=workflow.partition_key or "").count() >= limit:
        return (
            f"partition {workflow.partition_key!r} of queue {queue.name!r} has had its {limit} starts in {seconds:g} s"
        )
    return ""
