"""Workers in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.readonly import ReadOnlyAdmin, badge
from durable_django.base.clock import Now
from durable_django.models.worker import Worker


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Which worker processes live, by the database's clock."""

    list_display = ("__str__", "state", "hostname", "pid", "threads", "started_at", "heartbeat_at", "lease_expires_at")
    ordering = ("-started_at",)
    readonly_fields = ("state",)
    fields = (
        "id", "name", "state", "hostname", "pid", "threads", "queues", "application",
        "started_at", "heartbeat_at", "lease_expires_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Ask the database's clock which leases stand."""
        stands = When(lease_expires_at__gt=Now(), then=Value(True))
        has_lease = Case(stands, default=Value(False), output_field=BooleanField())
        rows: Any = super().get_queryset(request)
        found: QuerySet[Any] = rows.annotate(has_lease=has_lease)
        return found

    @admin.display(description=_("state"))
    def state(self, worker: Any) -> SafeString:
        """Show alive, draining or gone."""
        if not worker.has_lease:
            return badge("cancelled", _("gone"))
        return badge("waiting", _("draining")) if worker.is_draining else badge("succeeded", _("alive"))
