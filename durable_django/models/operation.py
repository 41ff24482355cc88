"""Operation: who changed a workflow, queue or schedule by hand, and why. Only ever added to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


@dataclass(frozen=True)
class Change:
    """What became of one row: its columns before and after, those alone that are other now."""

    object_id: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


class OperationQuerySet(models.QuerySet["Operation"]):
    """Changes by operators."""

    def of(self, kind: str, object_id: str) -> Self:
        """Those of one row, the newest first (index durable_operation_object)."""
        return self.filter(object_kind=kind, object_id=object_id).order_by("-pk")

    def of_outer(self, kind: str) -> Self:
        """Those of the row that a query around this one reads, whose key is a text (index durable_operation_object)."""
        return self.filter(object_kind=kind, object_id=models.OuterRef("pk"))

    def has(self, form_id: str) -> bool:
        """Whether a form was sent before (index durable_operation_form)."""
        return self.filter(form_id=form_id).exists()

    def record(self, changes: Iterable[Change], **facts: Any) -> None:
        """
        Note changes, in the transaction that makes them.

        facts  verb, object_kind, actor, reason, form_id and chosen, the same for each

        Raises IntegrityError if the same form has changed one of the rows before: so a form that is sent twice, even by
        two at the same time, acts once.
        """
        self.bulk_create(
            self.model(object_id=each.object_id, before=each.before, after=each.after, **facts) for each in changes
        )


class Operation(models.Model):
    """
    One change of one row by an operator, written in the transaction of the change.

    actor    the name of the user, as it was then
    before   the columns that have changed, as they were
    after    the same as they are, and what was made: ids of workflows, a topic; never a payload
    chosen   how many rows the operator had chosen, this one among them, or above it
    form_id  what is the same for all rows of one form that was sent; None elsewhere
    """

    id = models.BigAutoField(primary_key=True)
    verb = models.CharField(max_length=32)
    object_kind = models.CharField(max_length=32)
    object_id = models.CharField(max_length=255)
    actor = models.CharField(max_length=255, default="", blank=True)
    reason = models.TextField(default="", blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    chosen = models.PositiveIntegerField(_("chosen"), db_default=1)
    form_id = models.CharField(max_length=36, null=True, blank=True, editable=False)
    created_at = MomentField(db_default=Now())

    objects = OperationQuerySet.as_manager()

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        indexes = [models.Index(fields=["object_kind", "object_id"], name="durable_operation_object")]
        constraints = [
            models.UniqueConstraint(fields=["form_id", "object_kind", "object_id"], name="durable_operation_form")
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.object_id}"
