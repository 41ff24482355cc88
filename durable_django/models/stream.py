"""StreamEntry: one of the ordered values that a workflow publishes under a key."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now

#: Entries that are read at once.
BATCH = 1000


class StreamEntryQuerySet(models.QuerySet["StreamEntry"]):
    """Streams; who appends holds the lock of the workflow's row, so that offsets have neither gaps nor doubles."""

    def append(self, workflow_id: str, key: str, values: Sequence[str | None], branch: str, position: int) -> bool:
        """
        Write entries behind the last one (index durable_stream_offset); whether the stream was open.

        values  stored texts; None closes the stream
        """
        rows = self.filter(workflow_id=workflow_id, key=key).order_by("-offset")
        last = rows.values_list("offset", "value").first() or (-1, "")
        if last[1] is None:
            return False
        self.bulk_create(
            StreamEntry(workflow_id=workflow_id, key=key, offset=offset, value=value, branch=branch, position=position)
            for offset, value in enumerate(values, last[0] + 1)
        )
        return True

    def behind(self, workflow_id: str, key: str, offset: int) -> list[tuple[int, str | None]]:
        """Return offsets and values from an offset on, in order, a bounded batch (index durable_stream_offset)."""
        rows = self.filter(workflow_id=workflow_id, key=key, offset__gte=offset).order_by("offset")
        return list(rows.values_list("offset", "value")[:BATCH])


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

    objects = StreamEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("stream entry")
        verbose_name_plural = _("stream entries")
        constraints = [models.UniqueConstraint(fields=["workflow", "key", "offset"], name="durable_stream_offset")]

    def __str__(self) -> str:
        return f"{self.key}[{self.offset}] of {self.workflow_id}"
