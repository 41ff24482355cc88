"""Queue: a named line of workflows, declared in code, a row so that operators can pause it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


class QueueQuerySet(models.QuerySet["Queue"]):
    """Queues, and what is done with many of them."""

    def sync(self, names: Iterable[str]) -> None:
        """Make a row for each declared queue that has none; rows that exist are left as an operator made them."""
        self.bulk_create([Queue(name=name) for name in names], ignore_conflicts=True)

    def open(self) -> QueueQuerySet:
        """Queues that workers claim from."""
        return self.filter(is_paused=False)

    def pause(self) -> int:
        """Stop claims from these queues; what runs goes on. Return how many were open."""
        return self.filter(is_paused=False).update(is_paused=True)

    def resume(self) -> int:
        """Let workers claim from these queues again. Return how many were paused."""
        return self.filter(is_paused=True).update(is_paused=False)


class Queue(models.Model):
    """One queue."""

    name = models.CharField(max_length=255, primary_key=True)
    is_paused = models.BooleanField(default=False)
    created_at = MomentField(db_default=Now())

    objects = QueueQuerySet.as_manager()

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")

    def __str__(self) -> str:
        return self.name


class QueueStart(models.Model):
    """One start that counts in the rate of a queue; outlives whatever becomes of the workflow."""

    id = models.BigAutoField(primary_key=True)
    queue = models.CharField(max_length=255)
    partition_key = models.CharField(max_length=255, default="", blank=True)
    workflow = models.CharField(max_length=255)
    started_at = MomentField(db_default=Now())

    class Meta:
        verbose_name = _("start from a queue")
        verbose_name_plural = _("starts from queues")
        indexes = [models.Index(fields=["queue", "partition_key", "started_at"], name="durable_queuestart_window")]

    def __str__(self) -> str:
        return f"{self.workflow} from {self.queue}"
