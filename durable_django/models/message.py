"""Message: a value sent to a workflow, by topic, received once, in order."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now
from durable_django.models.compiled import Slot, Statement, insert_query, slots, update_query
from durable_django.models.fields import IdField


class MessageQuerySet(models.QuerySet["Message"]):
    """Mailboxes; whoever writes or reads one holds the lock of its workflow's row."""

    def unreceived(self, workflow_id: Any, topic: Any) -> Self:
        """Messages that wait for a receive, first in first (index durable_message_unreceived)."""
        return self.filter(workflow_id=workflow_id, topic=topic, received_at__isnull=True).order_by("id")

    def first_unreceived(self, workflow_id: str, topic: str) -> tuple[int, str] | None:
        """Return number and value of the next message for a receive."""
        found = _FIRST.fetch(self.db, {"workflow_id": workflow_id, "topic": topic})
        return found[0] if found else None

    def put(self, workflow_id: str, topic: str, value: str, *, sender: str, key: str | None) -> bool:
        """Put a message into a mailbox; whether it is new: one with the same key is there once."""
        values = {
            "workflow_id": workflow_id,
            "topic": topic,
            "value": value,
            "sender": sender,
            "idempotency_key": key,
        }
        return bool(_PUT.execute(self.db, values))

    def sent_by(self, workflow_id: str) -> Self:
        """Messages that a workflow has sent (index durable_message_sender)."""
        return self.filter(sender=workflow_id, sender__gt="").order_by("id")

    def has(self, workflow_id: str, key: str | None) -> bool:
        """Whether a message with a key has come to a mailbox, received or not (index durable_message_key)."""
        return key is not None and self.filter(workflow_id=workflow_id, idempotency_key=key).exists()

    def take(self, message_id: int, position: int) -> None:
        """Mark a message as received by the call at a position."""
        _TAKE.execute(self.db, {"id": message_id, "received_position": position})


class Message(models.Model):
    """
    One message in the mailbox of a workflow.

    The ids of one mailbox are in the order in which its messages were committed: they are given under the lock of the
    workflow's row.
    """

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey("Workflow", models.CASCADE, related_name="messages", db_index=False)
    topic = models.CharField(max_length=255, default="", blank=True)
    value = models.TextField()
    #: Collated as the ids that it is compared with: of a text collated otherwise no index serves a join.
    sender = IdField(default="", blank=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    created_at = MomentField(db_default=Now())
    received_at = MomentField(null=True, blank=True)
    received_position = models.IntegerField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(
                fields=["workflow", "topic", "id"],
                condition=models.Q(received_at__isnull=True),
                name="durable_message_unreceived",
            ),
            # What comes from outside of workflows has no sender, and costs nothing here.
            models.Index(fields=["sender", "id"], condition=models.Q(sender__gt=""), name="durable_message_sender"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "idempotency_key"], name="durable_message_key"),
        ]

    def __str__(self) -> str:
        return f"{self.topic or 'message'} to {self.workflow_id}"


_PUT = Statement(
    lambda _alias: insert_query(
        Message,
        slots(Message, "workflow_id", "topic", "value", "sender", "idempotency_key"),
        ignore_conflicts=True,
    )
)
_SLOTS = slots(Message, "id", "topic", "received_position")
_WORKFLOW_ID = Slot("workflow_id", models.CharField())
_FIRST = Statement(
    lambda alias: (
        Message.objects.using(alias).unreceived(_WORKFLOW_ID, _SLOTS["topic"]).values_list("pk", "value")[:1].query
    )
)
_TAKE = Statement(
    lambda alias: update_query(
        Message.objects.using(alias).filter(pk=_SLOTS["id"]),
        {"received_at": Now(), "received_position": _SLOTS["received_position"]},
    )
)
