"""
Starting: one INSERT ... ON CONFLICT DO NOTHING on the caller's connection, in the caller's transaction.

What it returns says whether the workflow is new; only if it is not is the existing row read. A start never raises
IntegrityError and never opens a savepoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connections

from durable_django.base import ids, payloads, registry
from durable_django.base.clock import Later, MomentField, Now
from durable_django.base.registry import Registered
from durable_django.conf import durable_settings
from durable_django.engine import context, wakeups
from durable_django.exceptions import NotSerializable, PayloadTooLarge, WorkflowConflict, WorkflowNotFound
from durable_django.models.compiled import Statement
from durable_django.models.status import Status
from durable_django.models.workflow import START, START_DELAYED, START_LATER, START_RUNNING, Workflow

_MOST_ROWS_PER_STATEMENT = 1000
#: An escaped NUL in JSON text, not a backslash that happens to stand before the same letters.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


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
    and WorkflowConflict if the id belongs to another workflow. Nothing is written on error.
    """
    alias = context.alias_of_workflows()
    values = _values(registered, encode(registered, args, kwargs), options, alias=alias, worker=worker, parent=parent)
    if made := _statement(options, worker).change(alias, values):
        if not worker:
            wakeups.ring(alias, options.delay_seconds or 0)
        return Started(values["id"], is_new=True, created_at=made[0][0])
    _require_same(values, options, alias)
    return Started(values["id"], is_new=False)


def start_many(
    registered: Registered,
    calls: Sequence[tuple[tuple[Any, ...], dict[str, Any]]],
    options: StartOptions,
    *,
    child_ids: Sequence[str] = (),
    parent: Parent | None = None,
) -> list[str]:
    """
    Insert many workflows, with generated ids or those of children, all or none. Return the ids in order.

    Django makes the statements smaller where the database takes fewer parameters: on SQLite, 25 rows with Django 5.2.
    """
    alias = context.alias_of_workflows()
    encoded = [encode(registered, args, kwargs) for args, kwargs in calls]
    rows = [_row(registered, arguments, options, alias, parent) for arguments in encoded]
    for row, child_id in zip(rows, child_ids, strict=False):
        row.pk = child_id
    # A plain step that runs again makes the same children again.
    is_again = bool(child_ids)
    Workflow.objects.using(alias).bulk_create(rows, batch_size=_MOST_ROWS_PER_STATEMENT, ignore_conflicts=is_again)
    wakeups.ring(alias, options.delay_seconds or 0)
    return [row.pk for row in rows]


def encode(registered: Registered, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the arguments as text, each in the place the signature gives it: start(7) and start(order=7) are one."""
    try:
        bound = registered.signature.bind(*args, **kwargs)
    except TypeError as error:
        message = f"{registered.name}{registered.signature} does not take these arguments: {error}."
        raise TypeError(message) from None
    return payloads.encode_call(bound.args, bound.kwargs)


def _statement(options: StartOptions, worker: str) -> Statement:
    if worker:
        return START_RUNNING
    if options.run_after is not None:
        return START_LATER
    return START if options.delay_seconds is None else START_DELAYED


def _columns(registered: Registered, arguments: str, options: StartOptions) -> dict[str, Any]:
    name = registry.workflows.settle_name_of(registered)
    return {
        "id": ids.new_id() if options.id is None else options.id,
        "name": name,
        "queue": registry.queues.require(options.queue or registered.queue or durable_settings.DEFAULT_QUEUE),
        "priority": registered.priority if options.priority is None else options.priority,
        "line": ids.next_line(),
        "arguments": arguments,
        "fingerprint": payloads.fingerprint(name, arguments),
        "started_by": options.started_by,
        "max_recoveries": _max_recoveries(registered),
        "timeout_seconds": options.timeout_seconds or registered.timeout_seconds,
        "application": durable_settings.APPLICATION,
        "is_async": registered.is_async,
    }


def _max_recoveries(registered: Registered) -> int:
    chosen = registered.max_recoveries
    return int(durable_settings.MAX_RECOVERIES if chosen is None else chosen)


def _values(  # noqa: PLR0913 - one for each source of a column
    registered: Registered, arguments: str, options: StartOptions, *, alias: str, worker: str, parent: Parent | None
) -> dict[str, Any]:
    """Return the column values as the compiled INSERT takes them."""
    connection = connections[alias]
    return {
        **_columns(registered, arguments, options),
        "attributes": connection.ops.adapt_json_value(options.attributes, None),
        "version": "",
        "status": Status.RUNNING.value if worker else Status.QUEUED.value,
        "attempt": 1 if worker else 0,
        "worker": worker or None,
        "delay_seconds": options.delay_seconds,
        "run_after": _MOMENT.get_db_prep_value(options.run_after, connection),
        "parent_id": parent.id if parent else None,
        "deadline": _MOMENT.get_db_prep_value(_inherited(registered, options, parent), connection),
    }


_MOMENT = MomentField()


def _inherited(registered: Registered, options: StartOptions, parent: Parent | None) -> datetime | None:
    """Return the deadline of the parent, unless the child has a timeout of its own."""
    has_own = options.timeout_seconds or registered.timeout_seconds
    return None if parent is None or has_own else parent.deadline


def _row(registered: Registered, arguments: str, options: StartOptions, alias: str, parent: Parent | None) -> Workflow:
    moment: Any = options.run_after
    if options.delay_seconds is not None:
        moment = Later(options.delay_seconds)
    columns = _columns(registered, arguments, options)
    row = Workflow(**columns, attributes=options.attributes, run_after=moment, created_at=Now())
    row.parent_id = parent.id if parent else None
    row.deadline = _inherited(registered, options, parent)
    row._state.db = alias
    return row


def _require_same(values: dict[str, Any], options: StartOptions, alias: str) -> None:
    """Raise WorkflowConflict unless the row that has the id is the workflow that was asked for."""
    rows = Workflow.objects.using(alias).filter(pk=values["id"])
    found = rows.values_list("name", "fingerprint").first()
    if found is None:
        raise WorkflowNotFound(workflow_id=values["id"])
    name, fingerprint = found
    wanted, existing = f"a {values['name']!r}", f"a {name!r}"
    if name == values["name"]:
        wanted, existing = f"a {name!r} with these arguments", f"a {name!r} with other arguments"
    is_other = name != values["name"] or (
        fingerprint != values["fingerprint"] and options.on_duplicate != "return_existing"
    )
    if is_other:
        raise WorkflowConflict(workflow_id=values["id"], wanted=wanted, existing=existing)


def validate_attributes(value: Any) -> dict[str, Any]:
    """Return the attributes if they are a JSON object that both databases take. Raises NotSerializable."""
    advice = "Pass a dict of JSON values; what the workflow works with belongs into its arguments."
    if not isinstance(value, dict):
        raise NotSerializable(path="attributes", reason=f"{type(value).__name__} is not a dict.", advice=advice)
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotSerializable(path="attributes", reason=f"{error}.", advice=advice) from error
    if _NUL.search(text) or not _is_unicode(value):
        raise NotSerializable(path="attributes", reason="a text carries NUL or a lone surrogate.", advice=advice)
    limit = durable_settings.MAX_PAYLOAD_BYTES
    if len(text) > limit:
        raise PayloadTooLarge(path="attributes", size=f"{len(text)} bytes", limit="MAX_PAYLOAD_BYTES", allowed=limit)
    return dict(json.loads(text))


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
