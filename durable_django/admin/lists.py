"""Lists that cost the same for a thousand rows and for ten million: nothing is counted, sorted or filtered in full."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from durable_django.admin.addresses import list_of

#: A list counts no further: counting millions of rows takes seconds and tells nobody anything.
MOST_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most MOST_COUNTED rows, and so offers no page behind them: filters and search lead there."""

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        # What the list reads beside the rows would be read for each that is counted.
        return int(rows.order_by().values("pk")[: MOST_COUNTED + 1].count())

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than are counted and listed."""
        return self._counted > MOST_COUNTED

    @cached_property
    def count(self) -> int:
        """The number of rows, or MOST_COUNTED if there are more."""
        return min(self._counted, MOST_COUNTED)


class FixedOrderList(ChangeList):
    """
    A list in the order that its admin names, whatever ?o= asks for: most columns have no index to sort by.

    saved  title, address and whether it is the one that is shown, of what people look for again and again
    """

    @property
    def saved(self) -> list[tuple[Any, str, bool]]:
        given = {name: values[-1] for name, values in self.filter_params.items()}
        model_admin: Any = self.model_admin
        site, model = model_admin.admin_site.name, str(self.opts.model_name)
        return [(title, list_of(site, model, **asked), asked == given) for title, asked in model_admin.saved]

    def get_ordering(self, request: HttpRequest, _queryset: QuerySet[Any]) -> list[Any]:
        return list(self.model_admin.get_ordering(request))

    def get_ordering_field_columns(self) -> dict[int, Any]:
        return {}
