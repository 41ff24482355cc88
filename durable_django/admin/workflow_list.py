"""The list of workflows: few rows are found by an index, of many only the newest are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from durable_django.admin import lists
from durable_django.admin.filters import ColumnFilter
from durable_django.admin.runs import LISTED
from durable_django.admin.searching import Found
from durable_django.admin.workflow_filters import FinishedFilter
from durable_django.base.clock import Epoch, Now
from durable_django.management.census import PARTS
from durable_django.management.counting import Counted
from durable_django.management.naming import spoken_names
from durable_django.models.status import Status
from durable_django.models.step import Step

#: Filters look at so many of the newest rows, where no index finds the rows: what is rare would be looked for in all.
MOST_FILTERED = 100_000

#: What people look for again and again: a title, and the filters of the address.
SAVED: tuple[tuple[Any, dict[str, str]], ...] = (
    (_("All"), {}),
    (_("Running"), {"status__exact": "running"}),
    (_("Waiting"), {"status__exact": "waiting"}),
    (_("Queued"), {"status__exact": "queued"}),
    (_("Failed in the last 24 hours"), {"status__exact": "failed", "finished": "24h"}),
    (_("Paused"), {"status__exact": "paused"}),
    (_("Late"), {"attention": "late"}),
    (_("Stalled"), {"attention": "stalled"}),
    (_("Without code"), {"attention": "codeless"}),
)


class WorkflowList(lists.FixedOrderList):
    """
    The newest workflows, without their payloads; only the paths of tasks are read.

    filtered_since  what was created earlier is not looked at by the filters; None while they look at everything
    """

    filtered_since: datetime | None = None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if self._is_bounded(getattr(request, "durable_search", None)):
            rows = self._bounded(rows)
        steps = Step.objects.using(rows.db).filter(workflow=OuterRef("pk"), branch="").order_by("-position")
        rows = rows.select_related("subject_type").only(*LISTED, "subject_type__app_label", "subject_type__model")
        listed: QuerySet[Any] = rows.annotate(
            now=Now(),
            last_position=Subquery(steps.values("position")[:1]),
            last_step=Subquery(steps.values("name")[:1]),
        )
        return listed

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = list(self.result_list)
        names = spoken_names(found)
        for workflow in found:
            workflow.spoken_name = names[workflow.pk]
        self.result_list = found

    def _is_bounded(self, searched: Found | None) -> bool:
        """Whether what is asked for may be rare among many rows; most searches find few, by an index of their own."""
        if searched is None:
            return bool(self.has_active_filters)
        return searched.is_wide or (bool(self.has_active_filters) and searched.is_long)

    def _bounded(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        parts = self._parts()
        if parts and self._count(parts) <= lists.MOST_COUNTED:
            first, *others = [self.root_queryset.filter(part).order_by().values("pk") for part in parts]
            # Sorted by what no index has: the one on the creation would be followed to its end for a few old rows.
            found = rows.filter(pk__in=first.union(*others, all=True) if others else first)
            return found.order_by(Epoch("created_at").desc(), F("pk").desc())
        self.filtered_since = self._oldest_to_filter()
        return rows if self.filtered_since is None else rows.filter(created_at__gte=self.filtered_since)

    def _parts(self) -> Sequence[Q]:
        """Return conditions by which indexes find all that the filters leave; empty if there is none."""
        active = [spec for spec in self.filter_specs if spec.used_parameters]
        ended: Any = next((spec for spec in active if isinstance(spec, FinishedFilter)), None)
        every: list[Sequence[Q]] = [spec.parts() for spec in active if isinstance(spec, ColumnFilter)]
        by_parts = [parts for parts in every if parts]
        if ended is None:
            return by_parts[-1] if by_parts else ()
        within = ended.condition(ended.value())
        found = by_parts[-1] if by_parts else [PARTS[status][0] for status in Status.terminal()]
        return [part & within for part in found]

    def _count(self, parts: Sequence[Q]) -> int:
        counted: Any = reduce(add, [Counted(self.root_queryset.filter(part).order_by()) for part in parts])
        return int(self.root_queryset.order_by("-created_at").values_list(counted, flat=True).first() or 0)

    def _oldest_to_filter(self) -> datetime | None:
        """Return when the last of the newest MOST_FILTERED rows was created (index durable_workflow_created)."""
        moments = self.root_queryset.order_by("-created_at").values_list("created_at", flat=True)
        found: datetime | None = moments[MOST_FILTERED : MOST_FILTERED + 1].first()
        return found
