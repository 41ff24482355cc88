"""What all pages have in common: rows are looked at, never written by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest

from durable_django.admin.lists import CappedPaginator, FixedOrderList
from durable_django.engine import context


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """
    A list and a page for each row, for users with the view permission. No adding, changing, deleting.

    State is changed by verbs, which keep the rules of the states; a form field would not.
    """

    actions: Any = None
    paginator = CappedPaginator
    show_full_result_count = False
    # Counts beside each filter would read the whole table.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    sortable_by = ()
    #: Lookups that the address may carry: those of the list's own filters.
    allowed_lookups: frozenset[str] = frozenset()
    #: What people look for again and again, above the list: a title, and the filters of the address.
    saved: tuple[tuple[Any, dict[str, str]], ...] = ()
    #: Whether the filters stand beside the list; where those above say enough, the columns have their room.
    has_filters_beside = False

    class Media:
        css = {"all": ["durable_django/admin.css"]}

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def require_view_permission(self, request: HttpRequest) -> None:
        """Raise PermissionDenied unless the user may view the rows."""
        if not self.has_view_permission(request):
            raise PermissionDenied

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Read where workers write: a replica may lag behind what they do."""
        rows: models.QuerySet[Any] = super().get_queryset(request)
        return rows.using(context.alias_of_workflows())

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # PostgreSQL refuses NUL with an error instead of finding nothing.
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 - Django's names
        return FixedOrderList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:  # noqa: ARG002 - Django looks for these names
        """Allow no lookup from the address but those of the list's own filters: a regex could stop the database."""
        return lookup in self.allowed_lookups
