"""Letters, and what has become of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Subquery, Value
from django.db.models.functions import Concat

from durable_django.models import Event, Message, Workflow


class LetterQuerySet(models.QuerySet["Letter"]):
    """Letters with what the tables of their workflows say about them."""

    def with_progress(self) -> Self:
        """
        Annotate how far the workflow of each is.

        is_proposed  the assistant has made its proposal
        is_decided   somebody has sent a verdict, whether or not a worker has taken it up yet
        expires_at   when the workflow stops waiting
        """
        ours = {"workflow_id": OuterRef("workflow_id")}
        waiting = Workflow.objects.waiting().filter(pk=OuterRef("workflow_id"))
        return self.annotate(
            is_proposed=Exists(Event.objects.filter(key="proposal", **ours)),
            is_decided=Exists(Message.objects.filter(topic="verdict", **ours)),
            expires_at=Subquery(waiting.values("run_after")[:1]),
        )


class Letter(models.Model):
    """
    A letter from a customer.

    workflow_id  follows from the id of the message: a letter is answered by one workflow
    decided_by   who approved or rejected what the assistant proposed, with which note
    credit       what the customer was granted, in euros
    """

    class State(models.TextChoices):
        """What has become of a letter."""

        OPEN = "open", "open"
        ANSWERED = "answered", "answered"
        REJECTED = "rejected", "proposal rejected"
        EXPIRED = "expired", "expired"

    message_id = models.CharField(max_length=100, unique=True)
    workflow_id = models.GeneratedField(
        expression=Concat(Value("letter-"), F("message_id")),
        output_field=models.CharField(max_length=107),
        db_persist=True,
    )
    customer = models.CharField(max_length=100)
    email = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    decided_by = models.CharField(max_length=150, blank=True, default="")
    note = models.CharField(max_length=300, blank=True, default="")
    credit = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal(0))
    received_at = models.DateTimeField(auto_now_add=True)

    #: Annotated by with_progress().
    is_proposed: bool
    is_decided: bool
    expires_at: datetime | None

    objects = LetterQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.subject

    @property
    def waits_for_verdict(self) -> bool:
        """Whether a person has to decide; of a letter from with_progress()."""
        return self.state == Letter.State.OPEN and self.is_proposed and not self.is_decided

    @property
    def is_moving(self) -> bool:
        """Whether a worker has something to do about it; of a letter from with_progress()."""
        return self.state == Letter.State.OPEN and not self.waits_for_verdict

    def close(self, state: str, *, credit: Decimal = Decimal(0), decided_by: str = "", note: str = "") -> None:
        """Keep what has become of the letter."""
        self.state, self.credit, self.decided_by, self.note = state, credit, decided_by, note
        self.save(update_fields=["state", "credit", "decided_by", "note"])
