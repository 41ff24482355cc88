"""Lists that cost the same for a thousand rows and for ten million: nothing is counted, sorted or filtered in full."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from durable_django.base.clock import Now
from durable_django.management.naming import spoken_names

#: A list counts no further: counting millions of rows takes seconds and tells nobody anything.
MOST_COUNTED = 10_000
#: Filters look at so many of the newest rows: few columns have an index, and what is rare would be looked for in all.
MOST_FILTERED = 100_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most MOST_COUNTED rows, and so offers no page behind them: filters and search lead there."""

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: MOST_COUNTED + 1].count())

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than are counted and listed."""
        return self._counted > MOST_COUNTED

    @cached_property
    def count(self) -> int:
        """The number of rows, or MOST_COUNTED if there are more."""
        return min(self._counted, MOST_COUNTED)


class FixedOrderList(ChangeList):
    """A list in the order that its admin names, whatever ?o= asks for: most columns have no index to sort by."""

    def get_ordering(self, request: HttpRequest, _queryset: QuerySet[Any]) -> list[Any]:
        return list(self.model_admin.get_ordering(request))

    def get_ordering_field_columns(self) -> dict[int, Any]:
        return {}


class WorkflowList(FixedOrderList):
    """
    The newest workflows, without their payloads; only the paths of tasks are read.

    filtered_since  what was created earlier is not looked at by the filters; None while they look at everything
    """

    filtered_since: datetime | None = None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        # A search is a range of the primary key, narrow enough to filter in full.
        if self.has_active_filters and not self.query:
            self.filtered_since = self._oldest_to_filter()
        if self.filtered_since is not None:
            rows = rows.filter(created_at__gte=self.filtered_since)
        listed: QuerySet[Any] = rows.only(*_LISTED).annotate(now=Now())
        return listed

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = list(self.result_list)
        names = spoken_names(found)
        for workflow in found:
            workflow.spoken_name = names[workflow.pk]
        self.result_list = found

    def _oldest_to_filter(self) -> datetime | None:
        """Return when the last of the newest MOST_FILTERED rows was created (index durable_workflow_created)."""
        moments = self.root_queryset.order_by("-created_at").values_list("created_at", flat=True)
        found: datetime | None = moments[MOST_FILTERED : MOST_FILTERED + 1].first()
        return found


_LISTED = ("id", "name", "status", "queue", "attempt", "created_at", "started_at", "finished_at")
