"""Worker: a process that claims workflows, and the lease that its claims hang on."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import Later, MomentField, Now
from durable_django.models.fields import IdField


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers by the state of their lease, and what is done with them."""

    def alive(self) -> Self:
        """Workers whose lease stands, by the database's clock."""
        return self.filter(lease_expires_at__gt=Now())

    def dead(self) -> Self:
        """Workers whose lease has passed."""
        return self.exclude(lease_expires_at__gt=Now())

    def on_host(self, hostname: str, boot_id: str, pid_namespace: str) -> Self:
        """Workers whose process could be seen from here: same machine, same boot, same numbering of processes."""
        return self.filter(hostname=hostname, boot_id=boot_id, pid_namespace=pid_namespace)

    def register(self, worker_id: str, lease_seconds: float, **facts: Any) -> Worker:
        """Insert the row of a process that begins; its lease runs from now."""
        return self.create(id=worker_id, lease_expires_at=Later(lease_seconds), **facts)

    def touch(self, worker_id: str) -> None:
        """Note that the process was heard of, which shows that the database takes writes; the lease stays."""
        self.filter(pk=worker_id).update(heartbeat_at=Now())

    def extend(self, worker_id: str, lease_seconds: float, *, is_draining: bool) -> bool:
        """
        Extend the lease of a living worker by a heartbeat.

        Returns False if the lease had passed already, or the row is gone: others may have taken over, so the
        process must let go of everything and begin again under another id.
        """
        mine = self.filter(pk=worker_id, lease_expires_at__gt=Now())
        changes = {"lease_expires_at": Later(lease_seconds), "heartbeat_at": Now(), "is_draining": is_draining}
        return bool(mine.update(**changes))

    def extend_held(self, worker_id: str, lease_seconds: float) -> None:
        """Extend the lease from within a write transaction on SQLite: nobody can have taken over meanwhile."""
        self.filter(pk=worker_id).update(lease_expires_at=Later(lease_seconds), heartbeat_at=Now())

    def expire(self) -> int:
        """End the lease of processes that are known to be gone. Return how many still had one."""
        return self.filter(lease_expires_at__gt=Now()).update(lease_expires_at=Now())

    def forget(self, *, after_seconds: float) -> int:
        """Remove the rows of workers dead for so long. Workflows keep the id as text; nothing refers to the row."""
        count, _models = self.filter(lease_expires_at__lt=Later(-after_seconds)).delete()
        return count


class Worker(models.Model):
    """
    One boot of one process; the id is random, so that no reuse of host names or process numbers can mislead.

    hostname, boot_id, pid_namespace, pid and process_started_at identify the process for others on the same machine,
    which expire its lease at once when they find it gone. What a process runs by plain calls takes no slot of a queue:
    its takes_slots is False.
    """

    id = IdField(primary_key=True, max_length=64)
    name = models.CharField(max_length=255, default="", blank=True)
    application = models.CharField(max_length=255, default="", blank=True)
    hostname = models.CharField(max_length=255)
    boot_id = models.CharField(max_length=64, default="", blank=True)
    pid_namespace = models.CharField(max_length=64, default="", blank=True)
    pid = models.IntegerField()
    process_started_at = models.CharField(max_length=64, default="", blank=True)
    queues = models.JSONField(default=list, blank=True)
    threads = models.IntegerField(default=0)
    takes_slots = models.BooleanField(db_default=True)
    is_draining = models.BooleanField(default=False)
    started_at = MomentField(db_default=Now())
    heartbeat_at = MomentField(db_default=Now())
    lease_expires_at = MomentField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        indexes = [models.Index(fields=["lease_expires_at"], name="durable_worker_lease")]

    def __str__(self) -> str:
        return self.name or f"{self.hostname}:{self.pid}"
