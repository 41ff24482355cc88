"""What follows from a recovery: workers are woken, and the world hears of workflows that were given up."""

from __future__ import annotations

from durable_django import signals
from durable_django.base import payloads
from durable_django.engine import wakeups
from durable_django.models.recovery import Recovery


def report(done: Recovery, alias: str) -> int:
    """Ring for what became runnable and send the signals. Return how many workflows were dealt with."""
    if not done.total:
        return 0
    signals.workflows_recovered.send_robust(sender=None, count=done.recovered, exhausted=len(done.exhausted))
    for workflow in done.exhausted:
        signals.workflow_failed.send_robust(
            sender=workflow.name,
            workflow_id=workflow.pk,
            name=workflow.name,
            queue=workflow.queue,
            attempt=workflow.attempt,
            error=payloads.decode_error(workflow.error or "", workflow.pk),
        )
    wakeups.ring(alias)
    return done.total
