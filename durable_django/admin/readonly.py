"""What all pages have in common: rows are looked at, never edited by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

#: A list counts no further: counting millions of rows takes seconds and tells nobody anything.
MOST_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most MOST_COUNTED rows, and so offers no page behind them: filters and search lead there."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or MOST_COUNTED if there are more."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """
    A list and a page for each row, for users with the view permission. No adding, changing, deleting.

    State is changed by verbs, which keep the rules of the states; a form field would not.
    """

    actions = None
    paginator = CappedPaginator
    show_full_result_count = False
    # Counts beside each filter would read the whole table.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    class Media:
        css = {"all": ["durable_django/admin.css"]}

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:  # noqa: ARG002
        """Allow no lookup from the address but those of the list's own filters: a regex could stop the database."""
        return lookup in self.allowed_lookups()

    def allowed_lookups(self) -> tuple[str, ...]:
        """Return the lookups that list_filter needs."""
        return ()


def badge(kind: str, text: Any) -> SafeString:
    """Return a coloured label; the colours stand in static/durable_django/admin.css."""
    return format_html('<span class="durable-badge durable-{}">{}</span>', kind, text)
