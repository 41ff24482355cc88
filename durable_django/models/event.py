"""Event: a value that a workflow publishes under a key; EventChange keeps the former values."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


class EventQuerySet(models.QuerySet["Event"]):
    """Events of workflows; who sets one holds the lock of the workflow's row."""

    def publish(self, workflow_id: str, key: str, value: str) -> None:
        """Set or replace a value (index durable_event_key)."""
        event = Event(workflow_id=workflow_id, key=key, value=value, set_at=Now())
        self.bulk_create(
            [event], update_conflicts=True, unique_fields=["workflow", "key"], update_fields=["value", "set_at"]
        )

    def value_of(self, workflow_id: str, key: str) -> str | None:
        """Return the stored text of a value, None if it was never set (index durable_event_key)."""
        return self.filter(workflow_id=workflow_id, key=key).values_list("value", flat=True).first()


class Event(models.Model):
    """The latest value of one key of one workflow."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey("Workflow", models.CASCADE, related_name="events", db_index=False, db_constraint=False)
    key = models.CharField(max_length=255)
    value = models.TextField()
    set_at = MomentField(db_default=Now())

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [models.UniqueConstraint(fields=["workflow", "key"], name="durable_event_key")]

    def __str__(self) -> str:
        return f"{self.key} of {self.workflow_id}"


class EventChangeQuerySet(models.QuerySet["EventChange"]):
    """Former values of events."""

    def note(self, workflow_id: str, key: str, value: str, branch: str, position: int) -> None:
        """Keep the value that the call at a place has set; the last one of a step stays."""
        change = EventChange(
            workflow_id=workflow_id, key=key, value=value, branch=branch, position=position, set_at=Now()
        )
        self.bulk_create(
            [change],
            update_conflicts=True,
            unique_fields=["workflow", "branch", "position", "key"],
            update_fields=["value", "set_at"],
        )


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

    objects = EventChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("change of an event")
        verbose_name_plural = _("changes of events")
        constraints = [
            models.UniqueConstraint(fields=["workflow", "branch", "position", "key"], name="durable_event_change"),
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.workflow_id} at {self.position}"
