"""Filters of the list of workflows, beside those by one column: times, troubles, relatives, errors."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Length, Substr
from django.db.models.lookups import Exact
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from durable_django.admin.cells import breakable
from durable_django.admin.filters import MOST_CHOICES, ChoiceFilter, ColumnFilter, GivenFilter, StatusFilter
from durable_django.base.clock import Later
from durable_django.base.texts import plain
from durable_django.conf import durable_settings
from durable_django.engine import context
from durable_django.management import failing
from durable_django.management.census import PARTS
from durable_django.models.claims import codeless
from durable_django.models.queue import Queue
from durable_django.models.status import Status
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow

_PERIODS = {"1h": 3600.0, "24h": 86_400.0, "7d": 7 * 86_400.0}
_SPOKEN_PERIODS = {"1h": _("in the last hour"), "24h": _("in the last 24 hours"), "7d": _("in the last 7 days")}
#: Rows whose versions and applications are offered.
_MOST_LOOKED_AT = 500
#: Digits of the key of a content type.
_LONGEST_KEY = 9


class AttentionFilter(ChoiceFilter):
    """Those that need a look: what the overview counts."""

    title = _("attention")
    parameter_name = "attention"
    choice_titles: ClassVar[dict[str, Any]] = {
        "stalled": _("held by a worker that is gone"),
        "codeless": _("no worker has the code"),
        "late": _("waits for too long"),
    }

    def condition(self, value: str) -> Q:
        return {"stalled": _stalled, "codeless": _codeless, "late": _late}[value]()

    def parts(self) -> tuple[Q, ...]:
        value = self.value()
        return (self.condition(value),) if value in self.choice_titles else ()


def _stalled() -> Q:
    living = Worker.objects.using(context.alias_of_workflows()).alive().filter(pk=OuterRef("worker"))
    return Q(~Exists(living), worker__isnull=False)


def _codeless() -> Q:
    return codeless(context.alias_of_workflows())


def _late() -> Q:
    open_queues = Queue.objects.using(context.alias_of_workflows()).open().values("pk")
    return PARTS["queued"][0] & Q(
        attempt=0, queue__in=open_queues, created_at__lt=Later(-durable_settings.QUEUE_DELAY_SECONDS)
    )


class StartedFilter(ChoiceFilter):
    """By the time since the creation."""

    title = _("created")
    parameter_name = "started"
    choice_titles = _SPOKEN_PERIODS

    def condition(self, value: str) -> Q:
        return Q(created_at__gte=Later(-_PERIODS[value]))


class FinishedFilter(ChoiceFilter):
    """By the time since the end."""

    title = _("finished")
    parameter_name = "finished"
    choice_titles = _SPOKEN_PERIODS

    def condition(self, value: str) -> Q:
        return Q(finished_at__isnull=False, finished_at__gte=Later(-_PERIODS[value]))


class HasParentFilter(ChoiceFilter):
    """Children, or those that nobody but people and code outside of workflows has started."""

    title = _("parent")
    parameter_name = "has_parent"
    choice_titles: ClassVar[dict[str, Any]] = {"yes": _("has a parent"), "no": _("has none")}

    def condition(self, value: str) -> Q:
        return Q(parent__isnull=value == "no")


class _SeenFilter(ColumnFilter):
    """By a label that the newest rows show: all rows would have to be read for all of them."""

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        seen: Any = getattr(request, "durable_labels", None)
        if seen is None:
            rows = Workflow.objects.using(context.alias_of_workflows()).order_by("-created_at")
            seen = list(rows.values_list("version", "application")[:_MOST_LOOKED_AT])
            request.durable_labels = seen  # type: ignore[attr-defined]
        place = ("version", "application").index(self.column)
        found = sorted({labels[place] for labels in seen} - {""} | {self.value() or ""} - {""})
        return [(label, breakable(label)) for label in found[:MOST_CHOICES]]

    def has_output(self) -> bool:
        return self.value() is not None or bool(self.lookup_choices)


class VersionFilter(_SeenFilter):
    """By the version of the code."""

    title = _("version")
    parameter_name = "version"
    column = "version"


class ApplicationFilter(_SeenFilter):
    """By the project, where several share the tables."""

    title = _("application")
    parameter_name = "application"
    column = "application"


class ParentFilter(GivenFilter):
    """The children of one workflow."""

    title = _("child of")
    parameter_name = "parent"
    column = "parent_id"

    def parts(self) -> tuple[Q, ...]:
        value = self.value()
        return () if value is None else (Q(parent__isnull=False, parent_id=value),)


class WorkerFilter(GivenFilter):
    """What one worker holds."""

    title = _("worker")
    parameter_name = "worker"
    column = "worker"

    def parts(self) -> tuple[Q, ...]:
        value = self.value()
        return () if value is None else (Q(worker__isnull=False, worker=value),)


class PartitionFilter(GivenFilter):
    """One partition of queues."""

    title = _("partition")
    parameter_name = "partition"
    column = "partition_key"


class ScheduleFilter(GivenFilter):
    """The runs of one schedule."""

    title = _("schedule")
    parameter_name = "schedule"
    column = "schedule"

    def parts(self) -> tuple[Q, ...]:
        value = self.value()
        first, behind = f"schedule:{value}:", f"schedule:{value};"
        return () if value is None else (Q(schedule=value, pk__gte=first, pk__lt=behind),)


class SubjectFilter(GivenFilter):
    """What was started for one row of the project."""

    title = _("subject")
    parameter_name = "subject"

    def can_be(self, value: str) -> bool:
        kind, colon, _key = value.partition(":")
        return super().can_be(value) and kind.isascii() and kind.isdigit() and len(kind) <= _LONGEST_KEY and bool(colon)

    def condition(self, value: str) -> Q:
        kind, _colon, key = value.partition(":")
        return Q(subject_type_id=int(kind), subject_id__isnull=False, subject_id=key)

    def parts(self) -> tuple[Q, ...]:
        value = self.value()
        return (self.condition(value),) if value is not None and self.can_be(value) else ()


class ErrorFilter(GivenFilter):
    """Failures with an error of one type, empty: of one that cannot be read; among failures it offers the newest."""

    title = _("error")
    parameter_name = "error_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        given = super().lookups(request, model_admin)
        if request.GET.get(StatusFilter.parameter_name) != Status.FAILED:
            return given
        offered: list[tuple[str, Any]] = [(each, plain(each)) for each in failing.recent_types()[:MOST_CHOICES]]
        return offered + [each for each in given if each not in offered]

    def has_output(self) -> bool:
        return self.value() is not None or bool(self.lookup_choices)

    def condition(self, value: str) -> Q:
        if not value:
            return PARTS["failed"][0] & Q(Exact(failing.type_of_error(), Value("")))
        beginning = failing.beginning_of(value)
        stored = Substr("error", 1, Length(Value(beginning)))
        return PARTS["failed"][0] & Q(Exact(stored, Value(beginning)))

    def parts(self) -> tuple[Q, ...]:
        return () if self.value() is None else PARTS["failed"]


class FailedStepFilter(GivenFilter):
    """Failures by the last step with an error; empty: those in which no step has one."""

    title = _("failed step")
    parameter_name = "failed_step"

    def condition(self, value: str) -> Q:
        return PARTS["failed"][0] & Q(Exact(failing.last_failed_step(context.alias_of_workflows()), Value(value)))

    def parts(self) -> tuple[Q, ...]:
        return () if self.value() is None else PARTS["failed"]


WORKFLOW_FILTERS = (
    AttentionFilter,
    StartedFilter,
    FinishedFilter,
    HasParentFilter,
    VersionFilter,
    ApplicationFilter,
    ParentFilter,
    WorkerFilter,
    PartitionFilter,
    ScheduleFilter,
    SubjectFilter,
    ErrorFilter,
    FailedStepFilter,
)
