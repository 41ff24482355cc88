"""Schedule: cron text that starts a workflow, with its own watermark of the last tick that fired."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import MomentField, Now


class Schedule(models.Model):
    """One schedule; `fired_until` is the UTC instant of the last tick that was dealt with."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=255, unique=True)
    workflow_name = models.CharField(max_length=255)
    cron = models.CharField(max_length=255)
    timezone = models.CharField(max_length=64)
    queue = models.CharField(max_length=255, default="", blank=True)
    context = models.TextField(null=True, blank=True)
    catch_up = models.CharField(max_length=16, default="latest")
    overlap = models.CharField(max_length=16, default="allow")
    jitter_seconds = models.FloatField(default=0)
    is_paused = models.BooleanField(default=False)
    is_retired = models.BooleanField(default=False)
    error = models.TextField(default="", blank=True)
    fired_until = MomentField(null=True, blank=True)
    next_at = MomentField(null=True, blank=True)
    created_at = MomentField(db_default=Now())

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        indexes = [models.Index(fields=["next_at"], name="durable_schedule_next")]

    def __str__(self) -> str:
        return self.name
