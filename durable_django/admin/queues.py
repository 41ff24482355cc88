"""Queues in the admin: how full they are, and the form by which an operator edits their limits."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import list_of, page_of
from durable_django.admin.badges import badge, drawn_gauge
from durable_django.admin.drawings import bars
from durable_django.admin.limits import LimitsForm
from durable_django.admin.lists import FixedOrderList
from durable_django.admin.readonly import ReadOnlyAdmin
from durable_django.base.limits import Limits
from durable_django.base.texts import plain
from durable_django.engine import context
from durable_django.management import throughput
from durable_django.management.depths import MOST_COUNTED, Depth, depths, described, noisiest_partitions
from durable_django.models.queue import Queue

#: Queues that the overview shows at most.
MOST_SHOWN = 50
#: The time that the drawings of starts show (seconds).
_DRAWN_SECONDS = 3600.0


class QueueList(FixedOrderList):
    """The queues of one page, each with how full it is, and how many were started on it lately."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = with_depths(list(self.result_list))
        starts = throughput.starts_by_queue(_DRAWN_SECONDS) if self.result_list else {}
        for queue in self.result_list:
            queue.drawing = bars(starts.get(queue.name, ()))


@admin.register(Queue)
class QueueAdmin(ReadOnlyAdmin):
    """
    Which queues there are, how full they are, which are paused or edited.

    Who has the change permission may pause, resume and edit: by the verbs of the row, which mark what was edited.
    """

    form = LimitsForm
    actions = ("pause", "resume", "revert")
    list_display = ("key", "state", "queued", "oldest", "running", "rate_used", "starts", "limits", "edited")
    ordering = ("name",)
    change_form_template = "admin/durable_django/queue/change_form.html"
    readonly_fields = ("key", "state", "queued", "oldest", "running", "rate_used", "edited", "declared_limits")
    fieldsets = (
        (None, {"fields": ("key", "state", "queued", "oldest", "running", "rate_used")}),
        (
            _("Limits"),
            {
                "fields": ("concurrency", "worker_concurrency", ("rate_limit", "rate_seconds")),
                "description": _("An empty field is no limit. What is changed here wins over the code until reverted."),
            },
        ),
        (
            _("Partitions"),
            {
                "fields": (
                    "is_partitioned",
                    "partition_concurrency",
                    ("partition_rate_limit", "partition_rate_seconds"),
                ),
            },
        ),
        (_("Code"), {"fields": ("edited", "declared_limits")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the change permission, unlike the pages that only show."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 - Django's names
        return QueueList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        queue = super().get_object(request, object_id, from_field)
        return queue and with_depths([queue])[0]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show which partitions have the most waiting."""
        key = unquote(object_id)
        partitions = noisiest_partitions(key) if self.has_view_permission(request) and "\0" not in key else []
        site = self.admin_site.name
        shown = [
            (name, number, list_of(site, "workflow", status__exact="queued", in_queue=key, partition=name))
            for name, number in partitions
        ]
        facts = {"partitions": shown, "most_counted": MOST_COUNTED}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **facts})

    def save_model(self, _request: HttpRequest, obj: Any, form: Any, _change: Any) -> None:
        """Edit what the form has changed, and nothing else: another operator may be at the other limits."""
        if form.edits:
            obj.edit(**form.edits)

    @admin.action(description=_("Pause: nothing more is claimed"), permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Queue]) -> None:
        """Stop claims; what runs goes on."""
        changed = self._change(request, queryset, "pause", gettext("Paused."))
        said = ngettext("%(n)d queue was paused.", "%(n)d queues were paused.", changed)
        self.message_user(request, said % {"n": changed}, messages.SUCCESS)

    @admin.action(description=_("Resume"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Queue]) -> None:
        """Let workers claim again."""
        changed = self._change(request, queryset, "resume", gettext("Resumed."))
        said = ngettext("%(n)d queue was resumed.", "%(n)d queues were resumed.", changed)
        self.message_user(request, said % {"n": changed}, messages.SUCCESS)

    @admin.action(description=_("Revert: take the limits of the code again"), permissions=["change"])
    def revert(self, request: HttpRequest, queryset: QuerySet[Queue]) -> None:
        """Give the limits back that the code declared last."""
        changed = self._change(request, queryset, "revert", gettext("Reverted to the limits of the code."))
        said = ngettext("%(n)d queue was reverted.", "%(n)d queues were reverted.", changed)
        self.message_user(request, said % {"n": changed}, messages.SUCCESS)

    def _change(self, request: HttpRequest, queues: QuerySet[Queue], verb: str, message: str) -> int:
        """Do it to each, and write into the log of the admin who did."""
        changed = [queue for queue in queues if getattr(queue, verb)()]
        for queue in changed:
            self.log_change(request, queue, message)
        return len(changed)

    @admin.display(description=_("name"))
    def key(self, queue: Queue) -> str:
        """Show the name, which leads to the page."""
        return plain(queue.name)

    @admin.display(description=_("state"))
    def state(self, queue: Queue) -> SafeString:
        """Show whether workers claim from it."""
        return _badge(queue)

    @admin.display(description=_("queued"))
    def queued(self, queue: Queue) -> str:
        """Show how many workflows could be claimed now."""
        return _depth(queue).spoken

    @admin.display(description=_("oldest"))
    def oldest(self, queue: Queue) -> str:
        """Show how long ago the oldest of them was started."""
        return _depth(queue).spoken_age

    @admin.display(description=_("running"))
    def running(self, queue: Queue) -> SafeString:
        """Show how many hold a slot, and of how many."""
        return drawn_gauge(_depth(queue).running, queue.concurrency)

    @admin.display(description=_("rate used"))
    def rate_used(self, queue: Queue) -> SafeString | str:
        """Show how much of the rate is used."""
        count = _depth(queue).started
        return "-" if count is None else drawn_gauge(count, queue.rate_limit)

    @admin.display(description=_("last hour"))
    def starts(self, queue: Any) -> SafeString:
        """Show how many workflows were started on it, and when."""
        return render_to_string("admin/durable_django/bars.html", {"kind": "running", "drawing": queue.drawing})

    @admin.display(description=_("limits"))
    def limits(self, queue: Queue) -> str:
        """Show those that count now."""
        return described(queue.limits) or "-"

    @admin.display(description=_("edited"), boolean=True)
    def edited(self, queue: Queue) -> bool:
        """Show whether an operator has changed the limits."""
        return queue.is_edited

    @admin.display(description=_("limits in the code"))
    def declared_limits(self, queue: Queue) -> str:
        """Show those that the code declared last."""
        return described(Limits(**queue.declared)) or "-" if queue.declared else "-"


def with_depths(queues: list[Any]) -> list[Any]:
    """Give each queue its depth."""
    by_name = depths(queues)
    for queue in queues:
        queue.depth = by_name[queue.name]
    return queues


def at_a_glance(site: str) -> list[Any]:
    """Return the queues by name, each with what the overview says about it."""
    rows = Queue.objects.using(context.alias_of_workflows()).order_by("name")
    found = with_depths(list(rows[:MOST_SHOWN]))
    for queue in found:
        queue.address = page_of(site, "queue", queue.pk)
        queue.badge = _badge(queue)
        queue.gauge = drawn_gauge(queue.depth.running, queue.concurrency)
    return found


def _badge(queue: Queue) -> SafeString:
    return badge("paused", _("paused")) if queue.is_paused else badge("succeeded", _("open"))


def _depth(queue: Any) -> Depth:
    found: Depth = queue.depth
    return found
