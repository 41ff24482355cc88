"""Workers in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import BooleanField, Case, Count, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import page_of
from durable_django.admin.badges import badge, drawn_gauge
from durable_django.admin.cells import with_help
from durable_django.admin.filters import LeaseFilter
from durable_django.admin.moments import moment
from durable_django.admin.operating.operated import OperatedAdmin
from durable_django.admin.runs import runs_of
from durable_django.base.clock import Later, Now, SecondsUntil
from durable_django.base.texts import plain
from durable_django.conf import durable_settings
from durable_django.engine import context
from durable_django.management.durations import spoken_seconds
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow

#: Workers that one page shows at most.
MOST_SHOWN = 50


@admin.register(Worker)
class WorkerAdmin(OperatedAdmin):
    """Which worker processes live, by the database's clock, and how much they hold."""

    list_display = ("__str__", "state", "holds", "served", "process", "beat", "lease", "started")
    list_filter = (LeaseFilter,)
    allowed_lookups = frozenset({LeaseFilter.parameter_name})
    saved = ((_("All"), {}), (_("Alive"), {"state": "alive"}), (_("Gone"), {"state": "gone"}))
    ordering = ("-lease_expires_at", "-pk")
    change_form_template = "admin/durable_django/worker/change_form.html"
    fields = ("id", "name", "state", "hostname", "pid", "holds", "served", "application", "started", "beat", "lease")
    readonly_fields = ("state", "holds", "served", "started", "beat", "lease")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_facts(super().get_queryset(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what it runs now, to those who may view workflows."""
        held: Any = ()
        if (
            "\0" not in object_id
            and self.has_view_permission(request)
            and request.user.has_perm("durable_django.view_workflow")
        ):
            rows = Workflow.objects.using(context.alias_of_workflows()).filter(worker=unquote(object_id))
            held = runs_of(rows.order_by("claimed_at", "pk")[:MOST_SHOWN], self.admin_site.name)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "runs": held})

    @admin.display(description=_("state"))
    def state(self, worker: Any) -> SafeString:
        """Show alive, draining or gone."""
        return state_of(worker)

    @admin.display(description=_("host"))
    def process(self, worker: Worker) -> SafeString | str:
        """Show where it runs, and as which process."""
        return with_help(plain(worker.hostname), gettext("process %(pid)s") % {"pid": worker.pid})

    @admin.display(description=_("busy"))
    def holds(self, worker: Any) -> SafeString:
        """Show how many workflows it holds, of how many threads."""
        return drawn_gauge(worker.held, worker.threads or None)

    @admin.display(description=_("last heartbeat"), ordering="heartbeat_at")
    def beat(self, worker: Any) -> str:
        """Show how long ago it gave its last sign of life."""
        return gettext("%(age)s ago") % {"age": spoken_seconds(max(0.0, -worker.until_beat))}

    @admin.display(description=_("lease stands for"))
    def lease(self, worker: Any) -> str:
        """Show how long its lease still stands; a dash if it does not."""
        return spoken_seconds(worker.until_end) if worker.has_lease else "-"

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, worker: Worker) -> str:
        """Show when it booted."""
        return moment(worker.started_at)

    @admin.display(description=_("queues"))
    def served(self, worker: Worker) -> str:
        """Show the queues that it claims from; a process that makes plain calls claims from none."""
        if not worker.takes_slots:
            return "-"
        return ", ".join(map(str, worker.queues)) if worker.queues else gettext("all")


def with_facts(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Ask the database's clock which leases stand, and count what each holds (index durable_workflow_owned)."""
    stands = When(lease_expires_at__gt=Now(), then=Value(True))
    held = Workflow.objects.filter(worker=OuterRef("pk")).order_by().values("worker").annotate(n=Count("pk"))
    found: QuerySet[Any] = rows.annotate(
        has_lease=Case(stands, default=Value(False), output_field=BooleanField()),
        held=Coalesce(Subquery(held.values("n")), 0),
        until_beat=SecondsUntil("heartbeat_at"),
        until_end=SecondsUntil("lease_expires_at"),
    )
    return found


def at_work(site: str) -> list[Any]:
    """
    Return the workers with the latest leases, each with what the pages say about it; one query.

    Also those that were lost last: their leases are behind those of all that live.
    """
    latest = Worker.objects.using(context.alias_of_workflows()).order_by("-lease_expires_at", "-pk")
    lost = latest.filter(lease_expires_at__lte=Now(), lease_expires_at__gt=Later(_lost_seconds(), F("heartbeat_at")))
    chosen = Q(pk__in=latest.values("pk")[:MOST_SHOWN]) | Q(pk__in=lost.values("pk")[:MOST_SHOWN])
    found = list(with_facts(latest.filter(chosen)))
    for worker in found:
        worker.address = page_of(site, "worker", worker.pk)
        worker.badge = state_of(worker)
        worker.gauge = drawn_gauge(worker.held, worker.threads or None)
        worker.is_lost = is_lost(worker)
        worker.spoken_beat = spoken_seconds(max(0.0, -worker.until_beat))
        worker.spoken_lease = spoken_seconds(worker.until_end) if worker.has_lease else "-"
    return found


def state_of(worker: Any) -> SafeString:
    """Return the label alive, draining, gone or lost."""
    if is_lost(worker):
        return badge("failed", _("lost"))
    if not worker.has_lease:
        return badge("cancelled", _("gone"))
    return badge("waiting", _("draining")) if worker.is_draining else badge("succeeded", _("alive"))


def is_lost(worker: Any) -> bool:
    """Whether its lease ran out: a worker that ends gives it up, soon after a heartbeat."""
    lasted = (worker.lease_expires_at - worker.heartbeat_at).total_seconds()
    return not worker.has_lease and lasted > _lost_seconds()


def _lost_seconds() -> float:
    return 2.0 * float(durable_settings.HEARTBEAT_SECONDS)
