"""Operation: who changed a workflow, queue or schedule by hand, and why. Only ever added to."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


class Operation(models.Model):
    """One change by an operator, written in the transaction of the change."""

    id = models.BigAutoField(primary_key=True)
    verb = models.CharField(max_length=32)
    object_kind = models.CharField(max_length=32)
    object_id = models.CharField(max_length=255)
    actor = models.CharField(max_length=255, default="", blank=True)
    reason = models.TextField(default="", blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    created_at = MomentField(db_default=Now())

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        indexes = [models.Index(fields=["object_kind", "object_id"], name="durable_operation_object")]

    def __str__(self) -> str:
        return f"{self.verb} {self.object_kind} {self.object_id}"
