"""The facts of a workflow: its columns in words, those that say something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from durable_django.admin.moments import moment
from durable_django.admin.workflow_page.addresses import Addresses, Link
from durable_django.base.texts import plain, plain_sentence
from durable_django.management.durations import spoken_seconds
from durable_django.management.history import History, seconds_between
from durable_django.models.workflow import Workflow


def facts_of(history: History, addresses: Addresses) -> Iterator[tuple[str, Link]]:
    """Yield label and value of each fact that there is."""
    groups = (_times(history), _runs(history, addresses), _origins(history.workflow, addresses))
    for label, value in (fact for group in groups for fact in group.items()):
        if isinstance(value, Link):
            yield label, value
        elif isinstance(value, datetime):
            yield label, Link(moment(value))
        elif value not in {None, ""}:
            yield label, Link(plain_sentence(value))


def _times(history: History) -> Mapping[str, Any]:
    workflow = history.workflow
    waited = seconds_between(workflow.created_at, workflow.started_at)
    return {
        _("Created"): workflow.created_at,
        _("First claimed"): workflow.started_at,
        _("Waited for it"): None if waited is None else spoken_seconds(waited),
        _("Last claimed"): workflow.claimed_at if workflow.claimed_at != workflow.started_at else None,
        _("Due"): workflow.run_after,
        _("Deadline"): workflow.deadline,
        _("Finished"): workflow.finished_at,
        pgettext("of a workflow", "Duration"): workflow.started_at and spoken_seconds(history.seconds),
    }


def _runs(history: History, addresses: Addresses) -> Mapping[str, Any]:
    workflow = history.workflow
    lost = _("%(lost)d in a row, %(most)d allowed") % {"lost": workflow.recoveries, "most": workflow.max_recoveries}
    return {
        _("Queue"): addresses.link("queue", workflow.queue),
        _("Priority"): workflow.priority,
        _("Partition key"): workflow.partition_key,
        _("Deduplication key"): workflow.deduplication_key,
        _("Attempt"): workflow.attempt,
        _("Workers lost"): lost if workflow.recoveries else None,
        _("Retries"): workflow.failures or None,
        _("Worker"): addresses.link("worker", workflow.worker),
        _("Kind"): _("async") if workflow.is_async else None,
        _("Version"): workflow.version,
        _("Application"): workflow.application,
    }


def _origins(workflow: Workflow, addresses: Addresses) -> Mapping[str, Any]:
    return {
        _("Started by"): workflow.started_by,
        _("Parent"): addresses.link("workflow", workflow.parent_id),
        _("Forked from"): addresses.link("workflow", workflow.forked_from_id),
        _("Schedule"): workflow.schedule,
        _("Subject"): _subject(workflow, addresses),
        _("Trace"): workflow.trace_context,
    }


def _subject(workflow: Workflow, addresses: Addresses) -> Link | None:
    """Return the object that the workflow is about, with the way to its page in the admin if it has one."""
    if not workflow.subject_id or workflow.subject_type_id is None:
        return None
    kind = ContentType.objects.db_manager(workflow._state.db).get_for_id(workflow.subject_type_id)
    text = f"{kind.app_label}.{kind.model} {plain(workflow.subject_id)}"
    view = f"admin:{kind.app_label}_{kind.model}_change"
    try:
        return Link(text, reverse(view, args=[admin.utils.quote(workflow.subject_id)], current_app=addresses.site))
    except NoReverseMatch:
        return Link(text)
