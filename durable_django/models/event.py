"""Event: a value that a workflow publishes under a key; EventChange keeps the former values."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


class Event(models.Model):
    """The latest value of one key of one workflow."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey("Workflow", models.CASCADE, related_name="events", db_index=False, db_constraint=False)
    key = models.CharField(max_length=255)
    value = models.TextField()
    set_at = MomentField(db_default=Now())

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [models.UniqueConstraint(fields=["workflow", "key"], name="durable_event_key")]

    def __str__(self) -> str:
        return f"{self.key} of {self.workflow_id}"


class EventChange(models.Model):
    """One value that an event has had, and the position that set it: what a fork goes back to."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey(
        "Workflow", models.CASCADE, related_name="event_changes", db_index=False, db_constraint=False
    )
    key = models.CharField(max_length=255)
    value = models.TextField()
    branch = models.CharField(max_length=64, default="", blank=True)
    position = models.IntegerField()
    set_at = MomentField(db_default=Now())

    class Meta:
        verbose_name = _("change of an event")
        verbose_name_plural = _("changes of events")
        constraints = [
            models.UniqueConstraint(fields=["workflow", "branch", "position", "key"], name="durable_event_change"),
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.workflow_id} at {self.position}"
