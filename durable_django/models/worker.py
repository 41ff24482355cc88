"""Worker: a process that claims workflows, and the lease that its claims hang on."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import Case, When
from django.db.models.sql import Query
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import Later, MomentField, Now
from durable_django.models.compiled import Slot, Statement, update_query
from durable_django.models.fields import IdField
from durable_django.models.permissions import of_verbs


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers by the state of their lease, and what is done with them."""

    def alive(self) -> Self:
        """Workers whose lease stands, by the database's clock."""
        return self.filter(lease_expires_at__gt=Now())

    def claiming(self) -> Self:
        """Workers that live and take workflows: neither draining nor there for plain calls alone."""
        return self.alive().filter(takes_slots=True, is_draining=False)

    def dead(self) -> Self:
        """Workers whose lease has passed."""
        return self.exclude(lease_expires_at__gt=Now())

    def lost(self) -> Self:
        """Workers whose lease has passed, and who have not ended it themselves (index durable_worker_lease)."""
        return self.dead().filter(is_up=True).order_by("lease_expires_at")

    def on_host(self, hostname: str, boot_id: str, pid_namespace: str) -> Self:
        """Workers whose process could be seen from here: same machine, same boot, same numbering of processes."""
        return self.filter(hostname=hostname, boot_id=boot_id, pid_namespace=pid_namespace)

    def register(self, worker_id: str, lease_seconds: float, **facts: Any) -> Worker:
        """Insert the row of a process that begins; its lease runs from now."""
        # A process that makes plain calls ends whenever its web server wants.
        is_up = bool(facts.get("takes_slots", True))
        return self.create(id=worker_id, lease_expires_at=Later(lease_seconds), is_up=is_up, **facts)

    def touch(self, worker_id: str) -> None:
        """Note that the process was heard of, which shows that the database takes writes; the lease stays."""
        self.filter(pk=worker_id).update(heartbeat_at=Now())

    def extend(self, worker_id: str, lease_seconds: float, *, is_draining: bool) -> bool | None:
        """
        Extend the lease of a living worker by a heartbeat. Return whether an operator has told it to drain.

        None if the lease had passed already, or the row is gone: others may have taken over, so the process must let
        go of everything and begin again under another id.
        """
        values = {"id": worker_id, "lease_seconds": float(lease_seconds), "is_draining": is_draining}
        found = _EXTEND.change(self.db, values)
        return bool(found[0][0]) if found else None

    def extend_held(self, worker_id: str, lease_seconds: float) -> None:
        """Extend the lease from within a write transaction on SQLite: nobody can have taken over meanwhile."""
        self.filter(pk=worker_id).update(lease_expires_at=Later(lease_seconds), heartbeat_at=Now())

    def drain(self) -> int:
        """Let these claim nothing more, and end when what they run has ended. Return how many were not told before."""
        return self.alive().filter(takes_slots=True, must_drain=False).update(must_drain=True)

    def expire(self) -> int:
        """End the lease of processes that are known to be gone. Return how many still had one."""
        return self.filter(lease_expires_at__gt=Now()).update(lease_expires_at=Now())

    def end(self) -> int:
        """End the lease of the caller's own process, which is not lost. Return how many still had one."""
        self.filter(is_up=True).update(is_up=False)
        return self.expire()

    def give_up(self) -> int:
        """Note that lost ones are known to be lost. Return of how many nobody had noted it."""
        return self.lost().order_by().update(is_up=False)

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

    must_drain   an operator wants it to end when what it runs has ended
    is_draining  it claims nothing more
    is_up        nobody was told of its end yet: if its lease passes meanwhile, it was lost
    """

    id = IdField(_("id"), primary_key=True, max_length=64)
    name = models.CharField(_("name"), max_length=255, default="", blank=True)
    application = models.CharField(_("application"), max_length=255, default="", blank=True)
    hostname = models.CharField(_("hostname"), max_length=255)
    boot_id = models.CharField(max_length=64, default="", blank=True)
    pid_namespace = models.CharField(max_length=64, default="", blank=True)
    pid = models.IntegerField(_("pid"))
    process_started_at = models.CharField(max_length=64, default="", blank=True)
    queues = models.JSONField(default=list, blank=True)
    threads = models.IntegerField(default=0)
    takes_slots = models.BooleanField(db_default=True)
    is_draining = models.BooleanField(default=False)
    must_drain = models.BooleanField(_("must drain"), db_default=False)
    is_up = models.BooleanField(db_default=False)
    started_at = MomentField(_("started at"), db_default=Now())
    heartbeat_at = MomentField(db_default=Now())
    lease_expires_at = MomentField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        permissions = of_verbs("worker")
        indexes = [models.Index(fields=["lease_expires_at"], name="durable_worker_lease")]

    def __str__(self) -> str:
        return self.name or f"{self.hostname}:{self.pid}"

    def drain(self) -> bool:
        """Let it claim nothing more, and end when what it runs has ended; whether it was not told before."""
        return bool(Worker.objects.using(self._state.db).filter(pk=self.pk).drain())


def _extend_query(alias: str) -> Query:
    mine = Worker.objects.using(alias).filter(pk=Slot("id", models.CharField()), lease_expires_at__gt=Now())
    changes = {
        "lease_expires_at": Later(Slot("lease_seconds", models.FloatField())),
        "heartbeat_at": Now(),
        # Whoever is told to drain hears of it by this very statement.
        "is_draining": Case(When(must_drain=True, then=True), default=Slot("is_draining", models.BooleanField())),
    }
    return update_query(mine, changes)


_EXTEND = Statement(_extend_query, returning=("must_drain",))
