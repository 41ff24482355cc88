"""Filters whose choices come from the code and from small tables: Django's own would read every workflow for them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from durable_django.base import registry
from durable_django.engine import context
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
        return queryset.filter(**{self.column: value})

    def can_be(self, value: str) -> bool:
        """Whether the column can have the value; PostgreSQL refuses NUL with an error."""
        return "\0" not in value


class StatusFilter(ColumnFilter):
    """By status."""

    title = _("status")
    parameter_name = "status__exact"
    column = "status"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return list(Status.choices)

    def can_be(self, value: str) -> bool:
        return value in Status.values


class NameFilter(ColumnFilter):
    """By name, as far as this process's code knows them."""

    title = _("workflow")
    parameter_name = "workflow"
    column = "name"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in registry.workflows.names()[:MOST_CHOICES]]


class QueueFilter(ColumnFilter):
    """By queue, declared now or once."""

    title = _("queue")
    parameter_name = "in_queue"
    column = "queue"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        rows = Queue.objects.using(context.alias_of_workflows()).order_by("name").values_list("name", flat=True)
        return [(name, name) for name in rows[:MOST_CHOICES]]


class LeaseFilter(admin.SimpleListFilter):
    """Workers that live, or are gone, by the database's clock."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return [("alive", _("alive")), ("gone", _("gone"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(has_lease=value == "alive")
