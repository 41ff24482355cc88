"""Filters whose choices come from the code and from small tables: Django's own would read every workflow for them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from durable_django.admin.cells import breakable
from durable_django.base import registry
from durable_django.base.texts import plain
from durable_django.engine import context
from durable_django.management.census import PARTS
from durable_django.models.queue import Queue
from durable_django.models.status import Status

#: Choices of one filter; any other value can still be given in the address.
MOST_CHOICES = 200


class ColumnFilter(admin.SimpleListFilter):
    """A filter by one value of one column."""

    column = ""

    def has_output(self) -> bool:
        """Apply the filter even if it has no choice to offer."""
        return True

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if not self.can_be(value):
            raise IncorrectLookupParameters
        return queryset.filter(self.condition(value))

    def can_be(self, value: str) -> bool:
        """Whether the column can have the value; PostgreSQL refuses NUL with an error."""
        return "\0" not in value

    def condition(self, value: str) -> Q:
        """Return what the rows have in common."""
        return Q((self.column, value))

    def parts(self) -> tuple[Q, ...]:
        """Return conditions by which an index finds the rows, few as they may be among millions; empty without one."""
        return ()


class GivenFilter(ColumnFilter):
    """A filter that links lead to: it offers nothing but the value that it was given."""

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        value = self.value()
        return [] if value is None else [(value, breakable(plain(value)) or _("none"))]

    def has_output(self) -> bool:
        return self.value() is not None


class ChoiceFilter(ColumnFilter):
    """A filter by one of a few choices, of which any other value is none."""

    choice_titles: ClassVar[dict[str, Any]] = {}

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return list(self.choice_titles.items())

    def can_be(self, value: str) -> bool:
        return value in self.choice_titles


class StatusFilter(ColumnFilter):
    """By status."""

    title = _("status")
    parameter_name = "status__exact"
    column = "status"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return list(Status.choices)

    def can_be(self, value: str) -> bool:
        return value in Status.values

    def parts(self) -> tuple[Q, ...]:
        # Nearly all have succeeded: those are found by reading the newest.
        value = self.value()
        return () if value is None or value == Status.SUCCEEDED else PARTS[value]


class NameFilter(ColumnFilter):
    """By name, as far as this process's code knows them."""

    title = _("workflow")
    parameter_name = "workflow"
    column = "name"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(name, breakable(name)) for name in registry.workflows.names()[:MOST_CHOICES]]


class QueueFilter(ColumnFilter):
    """By queue, declared now or once."""

    title = _("queue")
    parameter_name = "in_queue"
    column = "queue"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        rows = Queue.objects.using(context.alias_of_workflows()).order_by("name").values_list("name", flat=True)
        return [(name, breakable(name)) for name in rows[:MOST_CHOICES]]


class LeaseFilter(admin.SimpleListFilter):
    """Workers that live, or are gone, by the database's clock."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return [("alive", _("alive")), ("gone", _("gone"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(has_lease=value == "alive")


class ScheduleStateFilter(admin.SimpleListFilter):
    """Schedules that do not fire as they should."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return [("broken", _("broken"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(error__gt="") if self.value() == "broken" else queryset
