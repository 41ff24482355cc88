"""
Starting: one INSERT ... ON CONFLICT DO NOTHING on the caller's connection, in the caller's transaction.

What it returns says whether the workflow is new; only if it is not is the existing row read. A start never raises
IntegrityError and never opens a savepoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Model

from durable_django.base import ids, payloads, registry, tracing
from durable_django.base.clock import MomentField
from durable_django.base.registry import Registered
from durable_django.conf import durable_settings
from durable_django.engine import context, duplicates, permissions, wakeups
from durable_django.exceptions import DuplicateWorkflow, WorkflowNotFound
from durable_django.models import subjects
from durable_django.models.compiled import Statement
from durable_django.models.status import Status
from durable_django.models.turns import short_transaction
from durable_django.models.workflow import START, START_DEBOUNCED, START_DELAYED, START_LATER, START_RUNNING

#: How often a start tries again whose place was taken, and free again when it looked by whom.
_MOST_TRIES = 20


class IdsTaken(Exception):
    """Not all of many workflows could be inserted under the ids that they were given."""


class Debounced(NamedTuple):
    """How long after the last call a workflow starts (seconds), and how long after the first one at the latest."""

    seconds: float
    max_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class StartOptions:
    """What using() has configured, validated already; None means as the definition says."""

    id: str | None = None
    queue: str | None = None
    priority: int | None = None
    delay_seconds: float | None = None
    run_after: datetime | None = None
    timeout_seconds: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    started_by: str = ""
    on_duplicate: str = "raise"
    deduplication_key: str | None = None
    debounce: Debounced | None = None
    partition_key: str | None = None
    schedule: str = ""
    subject: Model | None = None
    user: Any = None
    version: str | None = None


class Parent(NamedTuple):
    """The workflow that starts another one, and its deadline."""

    id: str
    deadline: datetime | None


@dataclass(frozen=True)
class Started:
    """The workflow that a start found or made; the moment, by the database's clock, of a new one only."""

    id: str
    is_new: bool
    created_at: datetime | None = None


def start(  # noqa: PLR0913 - two for whom it is started
    registered: Registered,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: StartOptions,
    *,
    worker: str = "",
    parent: Parent | None = None,
) -> Started:
    """
    Insert a workflow, or find the one that has its id.

    worker  the id of the worker that claims it in the same statement, for a call that runs here and now
    parent  the workflow that starts it

    Raises TypeError if the function does not take the arguments, PayloadError if they cannot be stored, UnknownQueue,
    WorkflowConflict if the id belongs to another workflow, DuplicateWorkflow if another one holds the deduplication
    key, PermissionDenied. Nothing is written on error.
    """
    alias = context.alias_of_workflows()
    values = _values(registered, registered.encode(args, kwargs), options, alias=alias, worker=worker, parent=parent)
    values["trace_context"] = tracing.started(values["name"], [values["id"]])
    for _try in range(_MOST_TRIES):
        if made := _statement(options, worker).change(alias, values):
            if not worker:
                wakeups.ring(alias, values["delay_seconds"] or 0)
            return Started(values["id"], is_new=True, created_at=made[0][0])
        found = duplicates.find(values, options, alias)
        if found is not None:
            if options.debounce is not None:
                wakeups.ring(alias, options.debounce.seconds)
            return Started(found, is_new=False)
    # Its transaction sees an old state of the table, in which who stands in the way is not there.
    if options.deduplication_key is not None:
        raise DuplicateWorkflow(workflow_id="?", deduplication_key=options.deduplication_key, queue=values["queue"])
    raise WorkflowNotFound(workflow_id=values["id"])


def start_many(  # noqa: PLR0913 - two for whom they are started
    registered: Registered,
    calls: Sequence[tuple[tuple[Any, ...], dict[str, Any]]],
    options: StartOptions,
    *,
    child_ids: Sequence[str] = (),
    parent: Parent | None = None,
    must_be_new: bool = False,
) -> list[str]:
    """
    Insert many workflows, with generated ids or those of children, all or none. Return the ids in order.

    must_be_new  raise IdsTaken if some have been there, which are those that the id says or others; else they stay
    """
    alias = context.alias_of_workflows()
    encoded = [registered.encode(args, kwargs) for args, kwargs in calls]
    if not encoded:
        return []
    alike = _values(registered, encoded[0], options, alias=alias, worker="", parent=parent)
    # A plain step that runs again makes the same children again.
    new_ids = list(child_ids) or [ids.new_id() for _arguments in encoded]
    alike["trace_context"] = tracing.started(alike["name"], new_ids)
    rows = [_numbered(alike, *each) for each in zip(new_ids, encoded, strict=True)]
    with short_transaction(alias):
        made = _statement(options, worker="").execute_many(alias, rows)
        if must_be_new and made < len(rows):
            raise IdsTaken
    wakeups.ring(alias, options.delay_seconds or 0)
    return new_ids


def _numbered(alike: dict[str, Any], new_id: str, arguments: str) -> dict[str, Any]:
    own = {"id": new_id, "line": ids.next_line(), "arguments": arguments}
    return {**alike, **own, "fingerprint": payloads.fingerprint(alike["name"], arguments)}


def _statement(options: StartOptions, worker: str) -> Statement:
    if worker:
        return START_RUNNING
    if options.debounce is not None:
        return START_DEBOUNCED
    if options.run_after is not None:
        return START_LATER
    return START if options.delay_seconds is None else START_DELAYED


def _columns(registered: Registered, arguments: str, options: StartOptions) -> dict[str, Any]:
    name = registry.workflows.settle_name_of(registered)
    queue = queue_of(registered, options)
    if options.partition_key is None and registry.queues.limits_of(queue).is_partitioned:
        message = (
            f"Queue {queue!r} is partitioned: start {name} with using(partition_key=...), the key of a tenant, say."
        )
        raise ValueError(message)
    return {
        "id": ids.new_id() if options.id is None else options.id,
        "name": name,
        "queue": queue,
        "priority": registered.priority if options.priority is None else options.priority,
        "line": ids.next_line(),
        "arguments": arguments,
        "fingerprint": payloads.fingerprint(name, arguments),
        "started_by": options.started_by,
        "max_recoveries": _max_recoveries(registered),
        "timeout_seconds": options.timeout_seconds or registered.timeout_seconds,
        "retention_seconds": registered.retention_seconds,
        "application": durable_settings.APPLICATION,
        "is_async": registered.is_async,
        "deduplication_key": options.deduplication_key,
        "partition_key": options.partition_key,
        "schedule": options.schedule,
        "version": registered.version if options.version is None else options.version,
        "on_failure": registry.workflows.name_of_follower(registered.on_failure),
        "on_cancel": registry.workflows.name_of_follower(registered.on_cancel),
    }


def queue_of(registered: Registered, options: StartOptions) -> str:
    """Return the queue of what is to be started. Raises UnknownQueue."""
    return registry.queues.require(options.queue or registered.queue or durable_settings.DEFAULT_QUEUE)


def _max_recoveries(registered: Registered) -> int:
    chosen = registered.max_recoveries
    return int(durable_settings.MAX_RECOVERIES if chosen is None else chosen)


def _values(  # noqa: PLR0913 - one for each source of a column
    registered: Registered, arguments: str, options: StartOptions, *, alias: str, worker: str, parent: Parent | None
) -> dict[str, Any]:
    """Return the column values as the compiled INSERT takes them."""
    connection = connections[alias]
    permissions.require(registered, options.user)
    subject = subjects.refer(options.subject, alias)
    return {
        "subject_type_id": subject.type_id,
        "subject_id": subject.id,
        **_columns(registered, arguments, options),
        "attributes": connection.ops.adapt_json_value(options.attributes, None),
        "status": Status.RUNNING.value if worker else Status.QUEUED.value,
        "attempt": 1 if worker else 0,
        "worker": worker or None,
        "delay_seconds": options.debounce.seconds if options.debounce else options.delay_seconds,
        "debounce_max_seconds": options.debounce.max_seconds if options.debounce else None,
        "is_debounced": options.debounce is not None,
        "run_after": _MOMENT.get_db_prep_value(options.run_after, connection),
        "parent_id": parent.id if parent else None,
        "deadline": _MOMENT.get_db_prep_value(_inherited(registered, options, parent), connection),
    }


_MOMENT = MomentField()


def _inherited(registered: Registered, options: StartOptions, parent: Parent | None) -> datetime | None:
    """Return the deadline of the parent, unless the child has a timeout of its own."""
    has_own = options.timeout_seconds or registered.timeout_seconds
    return None if parent is None or has_own else parent.deadline
