"""StreamEntry: one of the ordered values that a workflow publishes under a key."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


class StreamEntry(models.Model):
    """One entry; `offset` counts from 0 within the workflow and key. The closing entry carries no value."""

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey(
        "Workflow", models.CASCADE, related_name="stream_entries", db_index=False, db_constraint=False
    )
    key = models.CharField(max_length=255)
    offset = models.BigIntegerField()
    value = models.TextField(null=True, blank=True)
    branch = models.CharField(max_length=64, default="", blank=True)
    position = models.IntegerField()
    written_at = MomentField(db_default=Now())

    class Meta:
        verbose_name = _("stream entry")
        verbose_name_plural = _("stream entries")
        constraints = [models.UniqueConstraint(fields=["workflow", "key", "offset"], name="durable_stream_offset")]

    def __str__(self) -> str:
        return f"{self.key}[{self.offset}] of {self.workflow_id}"
