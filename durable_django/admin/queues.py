"""Queues in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.badges import badge
from durable_django.admin.readonly import ReadOnlyAdmin
from durable_django.models.queue import Queue


@admin.register(Queue)
class QueueAdmin(ReadOnlyAdmin):
    """Which queues there are, and which are paused."""

    list_display = ("name", "state", "created_at")
    ordering = ("name",)
    fields = ("name", "state", "created_at")
    readonly_fields = ("state",)

    @admin.display(description=_("state"))
    def state(self, queue: Queue) -> SafeString:
        """Show whether workers claim from it."""
        return badge("paused", _("paused")) if queue.is_paused else badge("succeeded", _("open"))
