"""Why running workflows do not go on: their worker is silent, gone, or on its way out."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from durable_django.base.clock import SecondsUntil
from durable_django.conf import durable_settings
from durable_django.management.durations import spoken_seconds
from durable_django.management.reasons.wording import quoted
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow


class Workers:
    """The workers that hold some workflows: one query for all, and one more if some of them are gone."""

    def __init__(self, alias: str, rows: Collection[Workflow]) -> None:
        self._alias = alias
        ids = {row.worker for row in rows if row.worker}
        found = Worker.objects.using(alias).filter(pk__in=ids) if ids else Worker.objects.none()
        found = found.annotate(lease=SecondsUntil("lease_expires_at"), heard=SecondsUntil("heartbeat_at"))
        self._rows: dict[str, Any] = {row.pk: row for row in found}

    def reason(self, workflow: Workflow) -> str:
        """Return what is wrong with the worker of a running workflow; empty if nothing is."""
        row = self._rows.get(workflow.worker or "")
        name = {"worker": quoted(row or workflow.worker)}
        if row is None or row.lease <= 0:
            return self._gone(name)
        if -row.heard > 2 * durable_settings.HEARTBEAT_SECONDS:
            said = _(
                "worker %(worker)s was last heard of %(ago)s ago: taken over in %(left)s unless it is heard of again"
            )
            return said % {**name, "ago": spoken_seconds(-row.heard), "left": spoken_seconds(row.lease)}
        if row.is_draining:
            return _("worker %(worker)s shuts down, and hands on what it does not finish") % name
        return ""

    def letting_go(self, workflow: Workflow) -> str:
        """Return that an attempt still runs of a workflow that was stopped; empty if none does."""
        if not workflow.worker:
            return ""
        name = quoted(self._rows.get(workflow.worker) or workflow.worker)
        return _("its attempt on worker %(worker)s ends at the next step") % {"worker": name}

    def _gone(self, name: dict[str, str]) -> str:
        if self._is_anybody_there:
            return _("worker %(worker)s is gone: another one takes over within seconds") % name
        return _("worker %(worker)s is gone, and no other one is alive to take over") % name

    @cached_property
    def _is_anybody_there(self) -> bool:
        return bool(Worker.objects.using(self._alias).alive().filter(takes_slots=True).exists())
