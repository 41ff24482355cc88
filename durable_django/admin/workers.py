"""Workers in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, Case, Count, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.badges import badge
from durable_django.admin.filters import LeaseFilter
from durable_django.admin.moments import moment
from durable_django.admin.operating.operated import OperatedAdmin
from durable_django.base.clock import Now
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow


@admin.register(Worker)
class WorkerAdmin(OperatedAdmin):
    """Which worker processes live, by the database's clock, and how much they hold."""

    list_display = ("__str__", "state", "holds", "threads", "heartbeat", "started")
    list_filter = (LeaseFilter,)
    allowed_lookups = frozenset({LeaseFilter.parameter_name})
    ordering = ("-lease_expires_at", "-pk")
    fields = (
        "id", "name", "state", "hostname", "pid", "holds", "threads", "served", "application",
        "started_at", "heartbeat_at", "lease_expires_at",
    )  # fmt: skip
    readonly_fields = ("state", "holds", "served")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Ask the database's clock which leases stand, and count what each holds (index durable_workflow_owned)."""
        stands = When(lease_expires_at__gt=Now(), then=Value(True))
        held = Workflow.objects.filter(worker=OuterRef("pk")).order_by().values("worker").annotate(n=Count("pk"))
        rows: QuerySet[Any] = super().get_queryset(request)
        has_lease = Case(stands, default=Value(False), output_field=BooleanField())
        return rows.annotate(has_lease=has_lease, held=Coalesce(Subquery(held.values("n")), 0))  # type: ignore[no-any-return]

    @admin.display(description=_("state"))
    def state(self, worker: Any) -> SafeString:
        """Show alive, draining or gone."""
        if not worker.has_lease:
            return badge("cancelled", _("gone"))
        return badge("waiting", _("draining")) if worker.is_draining else badge("succeeded", _("alive"))

    @admin.display(description=_("workflows"))
    def holds(self, worker: Any) -> int:
        """Show how many workflows it holds."""
        return int(worker.held)

    @admin.display(description=_("heartbeat"), ordering="heartbeat_at")
    def heartbeat(self, worker: Worker) -> str:
        """Show its last sign of life."""
        return moment(worker.heartbeat_at)

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, worker: Worker) -> str:
        """Show when it booted."""
        return moment(worker.started_at)

    @admin.display(description=_("queues"))
    def served(self, worker: Worker) -> str:
        """Show the queues that it claims from."""
        return ", ".join(map(str, worker.queues)) if worker.queues else "-"
