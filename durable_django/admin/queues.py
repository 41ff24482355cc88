"""Queues in the admin: how full they are, and the form by which an operator edits their limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db import IntegrityError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import list_of, page_of
from durable_django.admin.badges import badge, drawn_gauge
from durable_django.admin.cells import breakable, with_help
from durable_django.admin.drawings import bars
from durable_django.admin.limits import LimitsForm
from durable_django.admin.lists import FixedOrderList
from durable_django.admin.operating.acting import Order, recorded, spoken_trouble
from durable_django.admin.operating.operated import OperatedAdmin
from durable_django.admin.operating.refusing import refuse
from durable_django.admin.operating.verbs import EDIT_QUEUE
from durable_django.base.texts import plain
from durable_django.engine import context
from durable_django.management import throughput
from durable_django.management.depths import (
    MOST_COUNTED,
    Depth,
    depths,
    described,
    noisiest_partitions,
    rows_with_depths,
)
from durable_django.models.queue import Queue
from durable_django.models.standing import ages_of

#: Queues that the overview shows at most.
MOST_SHOWN = 50
#: The time that the drawings of starts show (seconds).
_DRAWN_SECONDS = 3600.0


class NotSaved(Exception):
    """What an operator has sent cannot be saved, for a reason that is said to people."""


class QueueList(FixedOrderList):
    """The queues of one page, each with how full it is, and how many were started on it lately."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = with_depths(list(self.result_list))
        starts = throughput.starts_by_queue(_DRAWN_SECONDS) if self.result_list else {}
        for queue in self.result_list:
            queue.drawing = bars(starts.get(queue.name, ()))


@admin.register(Queue)
class QueueAdmin(OperatedAdmin):
    """
    Which queues there are, how full they are, which are paused or edited.

    Who may edit limits finds a form on the page of a queue.
    """

    form = LimitsForm
    list_display = ("key", "state", "queued", "oldest", "running", "rate_used", "starts", "limits")
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

    def has_change_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """Show the form to those who may edit limits; Django's own change permission opens nothing."""
        return self.is_allowed(request, EDIT_QUEUE)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask those who may edit for a reason as well."""
        may_edit = self.has_change_permission(request, obj)
        return (*self.fieldsets, (None, {"fields": ("reason", "seen")})) if may_edit else self.fieldsets

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
        if request.method == "POST" and not self.has_change_permission(request):
            refuse(request, EDIT_QUEUE.name, EDIT_QUEUE.kind, [key])
        partitions = noisiest_partitions(key) if self.has_view_permission(request) and "\0" not in key else []
        site = self.admin_site.name
        shown = [
            (name, number, list_of(site, "workflow", status__exact="queued", in_queue=key, partition=name))
            for name, number in partitions
        ]
        facts = {"partitions": shown, "most_counted": MOST_COUNTED}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **facts})

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Say why if what was sent cannot be saved; the transaction, which Django opens in here, is undone then."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (NotSaved, IntegrityError, OperationalError) as error:
            if request.method != "POST":
                raise
            said = str(error) if isinstance(error, NotSaved) else spoken_trouble(error)
            self.message_user(request, said, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Any, form: Any, _change: Any) -> None:
        """
        Edit what the form has changed, and nothing else: another operator may be at the other limits.

        Raises NotSaved if others have changed the same, or if it does not go with what they have made of the rest.
        """
        if form.overtaken:
            message = gettext(
                "Nothing was saved: somebody else has changed it meanwhile (%(limits)s). This is how it is."
            )
            raise NotSaved(message % {"limits": ", ".join(form.overtaken)})
        if form.edits:
            rows = Queue.objects.using(context.alias_of_workflows())
            reason = form.cleaned_data["reason"]
            order = Order(verb=EDIT_QUEUE, rows=rows, user=request.user, ids=[obj.pk], options={}, reason=reason)
            with recorded(order, rows.filter(pk=obj.pk)):
                _edit(obj, form.edits)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Leave the log to the record, which is written only if something has changed."""

    @admin.display(description=_("name"))
    def key(self, queue: Queue) -> SafeString:
        """Show the name, which leads to the page."""
        return breakable(plain(queue.name))

    @admin.display(description=_("state"))
    def state(self, queue: Queue) -> SafeString | str:
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
    def limits(self, queue: Queue) -> SafeString | str:
        """Show those that count now, and whether an operator has changed them."""
        return with_help(described(queue.limits) or "-", gettext("edited") if queue.is_edited else "")

    @admin.display(description=_("edited"))
    def edited(self, queue: Queue) -> str:
        """Show whether an operator has changed the limits."""
        return gettext("yes, by an operator") if queue.is_edited else gettext("no")

    @admin.display(description=_("limits in the code"))
    def declared_limits(self, queue: Queue) -> str:
        """Show those that the code declared last."""
        return described(queue.declared_limits) or "-"


def _edit(queue: Queue, edits: Mapping[str, Any]) -> None:
    try:
        is_there = queue.edit(**edits)
    except (TypeError, ValueError) as error:
        raise NotSaved(gettext("Nothing was saved: %(error)s") % {"error": plain(error)}) from error
    if not is_there:
        raise NotSaved(gettext("Nothing was saved: the queue is gone."))


def with_depths(queues: list[Any]) -> list[Any]:
    """Give each queue its depth."""
    by_name = depths(queues)
    for queue in queues:
        queue.depth = by_name[queue.name]
    return queues


def at_a_glance(site: str) -> list[Any]:
    """
    Return the queues by name, each with what the overview says about it.

    Of more than it shows, those in which somebody has stood in line for longest.
    """
    ages = ages_of(Queue.objects.using(context.alias_of_workflows()))
    # Those without any last, and as they are by name.
    known = {name: age for name, age in ages.items() if age is not None}
    names = sorted(ages, key=lambda name: known.get(name, -1.0), reverse=True)[:MOST_SHOWN]
    found: list[tuple[Any, Depth]] = list(rows_with_depths(names, known))
    for queue, depth in found:
        queue.depth = depth
        queue.shown_name = breakable(plain(queue.name))
        queue.address = page_of(site, "queue", queue.pk)
        queue.badge = _badge(queue)
        queue.gauge = drawn_gauge(depth.running, queue.concurrency)
    return [queue for queue, _depth in found]


def _badge(queue: Any) -> SafeString | str:
    """Return the state; of a paused queue also whether something still runs, where that was counted."""
    if not queue.is_paused:
        return badge("succeeded", _("open"))
    depth: Depth | None = getattr(queue, "depth", None)
    return with_help(badge("paused", _("paused")), depth and _still_running(depth.running))


def _still_running(running: int) -> str:
    if not running:
        return gettext("nothing runs")
    return ngettext("draining: %(n)d still runs", "draining: %(n)d still run", running) % {"n": running}


def _depth(queue: Any) -> Depth:
    found: Depth = queue.depth
    return found
