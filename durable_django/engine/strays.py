"""
Strays: workflows that a living process holds in the database but not in its hands.

A claim whose COMMIT got no answer may have succeeded; an attempt may end without being able to say so. No janitor takes
such rows from a worker whose lease stands, so the worker looks for them itself once it has seen trouble.
"""

from __future__ import annotations

from durable_django.base import clock
from durable_django.engine import recovering
from durable_django.engine.ownership import Ownership
from durable_django.models.workflow import Workflow

#: From a sign of trouble until the look: longer than a claim takes to get from the database into a hand.
WAIT_SECONDS = 3.0


class Strays:
    """The strays of one process."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._look_at: float | None = None

    def put_back_when_due(self, owner: Ownership) -> int:
        """Put them back in their queues some seconds after trouble was seen; no query otherwise. Return how many."""
        if self._look_at is None:
            if owner.has_strays.is_set():
                owner.has_strays.clear()
                self._look_at = clock.elapsed_seconds() + WAIT_SECONDS
            return 0
        if clock.elapsed_seconds() < self._look_at:
            return 0
        self._look_at = None
        held = [workflow_id for workflow_id, _attempt in list(owner.held)]
        done = Workflow.objects.using(self.alias).recover_strays(owner.worker_id, held)
        return recovering.report(done, self.alias)
