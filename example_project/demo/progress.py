"""How far the checkouts are, in one line."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from durable_django.models import Worker, Workflow

SHOWN = ("succeeded", "running", "queued", "waiting", "failed")
TERMINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Progress:
    """Counts of workflows by status, and of workers whose lease stands."""

    by_status: dict[str, int]
    workers: int

    @classmethod
    def read(cls) -> Progress:
        """Ask the database: two queries."""
        counts = Workflow.objects.order_by().values_list("status").annotate(Count("pk"))
        return cls(dict(counts), Worker.objects.alive().count())

    @property
    def total(self) -> int:
        """All workflows."""
        return sum(self.by_status.values())

    @property
    def share(self) -> float:
        """How many of them have ended, well or badly: 0.0 to 1.0."""
        return sum(self.by_status.get(status, 0) for status in TERMINAL) / self.total

    def __str__(self) -> str:
        counts = "  ".join(f"{status} {self.by_status.get(status, 0):>3}" for status in SHOWN)
        return f"{counts}  |  workers alive {self.workers}"
