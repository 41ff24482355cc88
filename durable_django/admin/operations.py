"""Operations in the admin: who changed what by hand, and why; a list that nobody can change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.cells import breakable
from durable_django.admin.filters import ColumnFilter
from durable_django.admin.moments import moment
from durable_django.admin.operating.records import spoken_change, spoken_verb
from durable_django.admin.readonly import ReadOnlyAdmin
from durable_django.base.texts import plain, plain_lines, shortened
from durable_django.models.operation import Operation

_KINDS = {"workflow": _("workflow"), "queue": _("queue"), "schedule": _("schedule"), "worker": _("worker")}
_LONGEST = 200


class KindFilter(ColumnFilter):
    """By what was changed (index durable_operation_object)."""

    title = _("kind")
    parameter_name = "kind"
    column = "object_kind"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return list(_KINDS.items())

    def can_be(self, value: str) -> bool:
        return value in _KINDS


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    """The newest operations first, for those who may view them."""

    list_display = ("when", "who", "verb_label", "kind", "key", "change", "shown_reason")
    list_filter = (KindFilter,)
    allowed_lookups = frozenset({KindFilter.parameter_name})
    saved = (
        (_("All"), {}),
        (_("Workflows"), {"kind": "workflow"}),
        (_("Queues"), {"kind": "queue"}),
        (_("Schedules"), {"kind": "schedule"}),
        (_("Workers"), {"kind": "worker"}),
    )
    search_fields = ("object_id",)
    search_help_text = _("The whole id of a workflow or schedule, or the name of a queue")
    ordering = ("-pk",)
    fields = ("when", "who", "verb_label", "kind", "key", "change", "shown_reason", "chosen")
    readonly_fields = fields

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find those of one row by its whole id (index durable_operation_object)."""
        term = search_term.strip()
        if not term or "\0" in term:
            return (queryset.none() if term else queryset), False
        return queryset.filter(object_kind__in=list(_KINDS), object_id=term), False

    @admin.display(description=_("when"))
    def when(self, operation: Operation) -> str:
        """Show when it was done."""
        return moment(operation.created_at)

    @admin.display(description=_("who"))
    def who(self, operation: Operation) -> str:
        """Show the name of the user, as it was then."""
        return plain(operation.actor)

    @admin.display(description=_("what"))
    def verb_label(self, operation: Operation) -> str:
        """Show the verb in the words of its button."""
        return spoken_verb(operation)

    @admin.display(description=_("kind"))
    def kind(self, operation: Operation) -> str:
        """Show what sort of row it was."""
        return str(_KINDS.get(operation.object_kind, plain(operation.object_kind)))

    @admin.display(description=_("id"))
    def key(self, operation: Operation) -> SafeString:
        """Show which row it was."""
        return breakable(plain(operation.object_id))

    @admin.display(description=_("change"))
    def change(self, operation: Operation) -> str:
        """Show what is other since then."""
        return spoken_change(operation) or "-"

    @admin.display(description=_("reason"))
    def shown_reason(self, operation: Operation) -> str:
        """Show why."""
        return shortened(plain_lines(operation.reason), _LONGEST) or "-"
