"""Message: a value sent to a workflow, by topic, received once, in order."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


class Message(models.Model):
    """One message in the mailbox of a workflow."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey("Workflow", models.CASCADE, related_name="messages", db_index=False)
    topic = models.CharField(max_length=255, default="", blank=True)
    value = models.TextField()
    sender = models.CharField(max_length=255, default="", blank=True)
    line = models.BigIntegerField()
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    created_at = MomentField(db_default=Now())
    received_at = MomentField(null=True, blank=True)
    received_position = models.IntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(
                fields=["workflow", "topic", "line"],
                condition=models.Q(received_at__isnull=True),
                name="durable_message_unreceived",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "idempotency_key"], name="durable_message_key"),
        ]

    def __str__(self) -> str:
        return f"{self.topic or 'message'} to {self.workflow_id}"
