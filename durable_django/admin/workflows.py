"""Workflows in the admin: the list, and the page and the downloads of each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from durable_django.admin.badges import badge
from durable_django.admin.cells import breakable, with_help
from durable_django.admin.filters import NameFilter, QueueFilter, StatusFilter
from durable_django.admin.moments import moment
from durable_django.admin.operating.operated import OperatedAdmin
from durable_django.admin.operating.refusing import refuse
from durable_django.admin.searching import search
from durable_django.admin.subjects import subject_of
from durable_django.admin.workflow_filters import WORKFLOW_FILTERS
from durable_django.admin.workflow_list import SAVED, WorkflowList
from durable_django.admin.workflow_page.downloads import download
from durable_django.admin.workflow_page.page import Asked, page_of
from durable_django.base.texts import plain
from durable_django.management import history, surroundings
from durable_django.management.durations import spoken_seconds
from durable_django.models.operation import Operation
from durable_django.models.workflow import Workflow


@admin.register(Workflow)
class WorkflowAdmin(OperatedAdmin):
    """What was started, where it stands, and what each step did."""

    list_display = ("key", "definition", "standing", "progress", "created", "in_queue")
    list_filter = (StatusFilter, NameFilter, QueueFilter, *WORKFLOW_FILTERS)
    allowed_lookups = frozenset(each.parameter_name for each in list_filter)
    saved = SAVED
    has_filters_beside = True
    search_fields = ("id",)
    search_help_text = _("The id or its beginning, a deduplication key, or the beginning of a name")
    ordering = ("-created_at", "-pk")
    # The page is made by its own template from what page_of() gives; Django's form needs some field.
    fields = ("id",)

    class Media:
        css = {"all": ["durable_django/timeline.css"]}
        js = ["durable_django/live.js"]

    def get_urls(self) -> list[URLPattern]:
        """Add the downloads of payloads."""
        view = self.admin_site.admin_view(require_safe(self.payload))
        return [
            path("<path:object_id>/payload/<slug:source>/", view, name="durable_django_workflow_payload"),
            *super().get_urls(),
        ]

    def payload(self, request: HttpRequest, object_id: str, source: str) -> HttpResponse:
        """Send a payload as a file."""
        if not (self.has_view_permission(request) and self.has_payload_permission(request)):
            refuse(request, "view_payload", "workflow", [unquote(object_id)])
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404
        return download(found, source)

    def has_payload_permission(self, request: HttpRequest, _obj: Workflow | None = None) -> bool:
        """
        Whether the user may see arguments, results, errors, messages, events and entries of streams.

        Attributes are no payloads: whoever may view workflows sees them, without their secrets.
        """
        return bool(request.user.has_perm("durable_django.view_payload"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read no payload by the way, wherever Django lists workflows; what shows one asks for it."""
        return super().get_queryset(request).defer("arguments", "output", "error")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 - Django's names
        return WorkflowList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find what the term means; no id begins or ends with a blank."""
        term = search_term.strip()
        if not term or "\0" in term:
            return queryset, False
        found = search(queryset, term, self.get_queryset(request))
        # For the list, which bounds what no index finds.
        request.durable_search = found  # type: ignore[attr-defined]
        return found.rows, False

    def get_object(self, request: HttpRequest, object_id: str, _from_field: str | None = None) -> Any:
        """Read the row with only the beginnings of its payloads, however large they are."""
        if "\0" in object_id:
            return None
        rows = surroundings.counted(history.without_payloads(self.get_queryset(request)))
        operations = Exists(Operation.objects.of_outer("workflow"))
        return rows.annotate(has_records=operations).filter(pk=object_id).first()

    def render_change_form(  # noqa: PLR0913, PLR0917 - Django's signature
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Give the template what it shows."""
        asked = Asked(
            is_permitted=self.has_payload_permission(request, obj),
            are_first_steps=request.GET.get("steps") == "first",
            is_folding=request.GET.get("idle") != "shown",
        )
        page = page_of(obj, self.admin_site.name, asked)
        return super().render_change_form(request, {**context, "page": page}, add, change, form_url, obj)

    @admin.display(description=_("id"))
    def key(self, workflow: Workflow) -> SafeString:
        """Show the id, which leads to the page."""
        return breakable(plain(workflow.pk))

    @admin.display(description=_("workflow"))
    def definition(self, workflow: Any) -> SafeString | str:
        """Show the name of what was started, of a task its path, and what it is about."""
        subject = subject_of(workflow, self.admin_site)
        return with_help(breakable(plain(workflow.spoken_name)), subject)

    @admin.display(description=_("status"))
    def standing(self, workflow: Any) -> SafeString | str:
        """Show the status, and how long it took from the first claim to the end, or takes until now."""
        seconds = history.seconds_between(workflow.started_at, workflow.finished_at or workflow.now)
        return with_help(self.state(workflow), "" if seconds is None else spoken_seconds(seconds))

    def state(self, workflow: Workflow) -> SafeString:
        """Return the status in its colour."""
        return badge(workflow.status, workflow.get_status_display())

    @admin.display(description=_("progress"))
    def progress(self, workflow: Any) -> SafeString | str:
        """Show the last step that is recorded, with its position, and the attempt if it is not the first."""
        return with_help(
            _place(workflow), gettext("attempt %(n)d") % {"n": workflow.attempt} if workflow.attempt > 1 else ""
        )

    @admin.display(description=_("created"))
    def created(self, workflow: Workflow) -> str:
        """Show when it was started, to the second."""
        return moment(workflow.created_at)

    @admin.display(description=_("queue"))
    def in_queue(self, workflow: Workflow) -> SafeString:
        """Show the queue."""
        return breakable(plain(workflow.queue))


def _place(workflow: Any) -> SafeString | str:
    """Return the position of the last step, which stands with the beginning of its name, however narrow the column."""
    if not workflow.last_position:
        return "-"
    return format_html("{}&nbsp;·&nbsp;{}", workflow.last_position, breakable(plain(workflow.last_step)))
