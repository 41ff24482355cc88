"""The seven states of a workflow."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """The seven states; the last three end a workflow."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    WAITING = "waiting", _("waiting")
    PAUSED = "paused", _("paused")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")

    @classmethod
    def live(cls) -> tuple[Status, ...]:
        """Return the states of what has not ended."""
        return (cls.QUEUED, cls.RUNNING, cls.WAITING, cls.PAUSED)

    @classmethod
    def terminal(cls) -> tuple[Status, ...]:
        """Return the states that only an operator's resume leaves."""
        return (cls.SUCCEEDED, cls.FAILED, cls.CANCELLED)
