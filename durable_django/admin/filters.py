"""Filters whose choices come from the code and from small tables: Django's own would read every workflow for them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from durable_django.base import registry
from durable_django.models.queue import Queue


class NameFilter(admin.SimpleListFilter):
    """By name, as far as this process's code knows them."""

    title = _("workflow")
    parameter_name = "workflow"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in registry.workflows.names()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(name=self.value()) if self.value() else queryset


class QueueFilter(admin.SimpleListFilter):
    """By queue, declared now or once."""

    title = _("queue")
    parameter_name = "in_queue"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in Queue.objects.order_by("name").values_list("name", flat=True)]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() else queryset
