"""Forking: a new workflow that shares what another one has recorded before a place, and goes on by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from durable_django.base import ids, payloads, places, registry
from durable_django.exceptions import WorkflowConflict, WorkflowNotFound, WorkflowPruned
from durable_django.models import histories, replacements, retention
from durable_django.models.status import Status

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: What a fork has from its origin. Whatever else it has, it has of its own.
_COPIED = (
    "name", "queue", "priority", "partition_key", "is_async", "version", "application", "arguments", "fingerprint",
    "attributes", "subject_type_id", "subject_id", "started_by", "max_recoveries", "timeout_seconds",
    "retention_seconds", "on_failure", "on_cancel",
)  # fmt: skip


_LONGEST_VERSION = 255


@dataclass(frozen=True, kw_only=True)
class Fork:
    """
    How to fork, checked already as far as that goes without the origin.

    from_step             position, place or name of a step; None: the beginning
    from_failure          the errors at the end of the history, instead
    args                  other arguments: a tuple, a dict, or what the definition's call() returns
    replacement_children  ids of the origin's children, and of workflows that take their place
    """

    from_step: int | str | None = None
    from_failure: bool = False
    args: Any = None
    queue: str | None = None
    version: str | None = None
    replacement_children: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.from_failure and self.from_step is not None:
            message = f"Give from_step= or from_failure=, not both: got {self.from_step!r}."
            raise ValueError(message)
        is_number = type(self.from_step) is int and self.from_step > 0
        if not (self.from_step is None or is_number or (isinstance(self.from_step, str) and self.from_step)):
            message = (
                f"from_step must be a position from 1, a place such as '3.2.1', or a name: got {self.from_step!r}."
            )
            raise ValueError(message)
        if self.version is not None and not (type(self.version) is str and len(self.version) <= _LONGEST_VERSION):
            message = f"version must be a text of at most {_LONGEST_VERSION} characters, got {self.version!r}."
            raise ValueError(message)
        if self.queue is not None:
            registry.queues.require(self.queue)

    def digest(self, *more: object) -> str:
        """Return what tells this way of forking from others."""
        args = None if self.args is None else payloads.encode_call(*_call_of(self.args))
        replaced = sorted((_id_of(old), _id_of(new)) for old, new in self.replacement_children.items())
        told = (self.from_step, self.from_failure, self.queue, self.version, args, replaced, *more)
        text = "\0".join(map(str, told))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


class NotFailed(ValueError):
    """What has not failed, or not any more, has no failure to be forked from."""


def fork_many(rows: WorkflowQuerySet, wanted: Fork) -> dict[str, str]:
    """
    Fork each of these. Return the ids of the new forks, by those of their origins.

    Who asks for the same again makes nothing new. What was purged or resumed before its turn is left out.
    """
    chosen = rows.filter(pruned_at__isnull=True)
    if wanted.from_failure:
        chosen = chosen.filter(status=Status.FAILED)
    # All are chosen before the first is forked, since forks may be among those that the queryset asks for.
    origins = list(chosen.order_by("pk").values_list("pk", "attempt", "line"))
    all_rows = rows.model._default_manager.using(rows.db)
    made = {}
    for origin_id, attempt, line in origins:
        new_id = ids.shortened(f"{origin_id}:fork:{attempt}:{wanted.digest(line)}")
        try:
            if fork(all_rows, origin_id, new_id, wanted):
                made[origin_id] = new_id
        except NotFailed:
            continue
        except (WorkflowNotFound, WorkflowPruned) as error:
            if error.__dict__.get("workflow_id") != origin_id:
                raise
    return made


def fork(rows: WorkflowQuerySet, origin_id: str, new_id: str, wanted: Fork) -> bool:
    """
    Make the fork in one transaction, under the locks of its origin and of what it names. Return whether it is new.

    Raises WorkflowNotFound, WorkflowPruned, WorkflowConflict if the id belongs to something else, ValueError for a
    place or a failure that is not there, and what starting raises for the arguments.
    """
    replaced = {_id_of(old): _id_of(new) for old, new in wanted.replacement_children.items()}
    with transaction.atomic(using=rows.db):
        if replaced:
            # In one order, and before anything else: until the fork is committed, a sweep must not prune them.
            rows.lock_in_order({origin_id, *replaced.values()})
        # Under the lock nobody sets an event, writes to a stream, resumes or purges; steps come, but behind.
        origin = rows.filter(pk=origin_id).select_for_update(no_key=True).first()
        if origin is None:
            raise WorkflowNotFound(workflow_id=origin_id)
        retention.require_whole(rows.filter(pk=origin_id))
        made = _made(origin, new_id, wanted, replaced)
        if not _insert(rows, made):
            return False
        if wanted.from_failure and origin.status != Status.FAILED:
            message = f"Workflow {origin_id!r} has not failed: give from_step= to fork it."
            raise NotFailed(message)
        _require_whole(rows, replaced)
        shared = histories.shared(rows.db, origin.pk, lambda steps: _choose(origin, wanted, steps))
        histories.copy(rows.db, shared, made.pk, replaced)
        _require_used(origin, replaced, shared)
    return True


def _made(origin: Workflow, new_id: str, wanted: Fork, replaced: Mapping[str, str]) -> Workflow:
    columns: dict[str, Any] = {name: getattr(origin, name) for name in _COPIED}
    columns["replacements"] = replacements.joined(origin.replacements, replaced.values())
    if wanted.args is not None:
        columns["arguments"] = _encode(origin.name, wanted.args)
        columns["fingerprint"] = payloads.fingerprint(origin.name, columns["arguments"])
    if wanted.version is not None:
        columns["version"] = wanted.version
    if wanted.queue is not None:
        columns["queue"] = wanted.queue
        if registry.queues.limits_of(wanted.queue).is_partitioned and origin.partition_key is None:
            message = f"Queue {wanted.queue!r} is partitioned, and workflow {origin.pk!r} has no partition key."
            raise ValueError(message)
    return type(origin)(pk=new_id, line=ids.next_line(), forked_from_id=origin.pk, **columns)


def _encode(name: str, given: Any) -> str:
    args, kwargs = _call_of(given)
    if registry.workflows.knows(name):
        return registry.workflows.get(name).encode(args, kwargs)
    return payloads.encode_call(args, kwargs)


def _call_of(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if hasattr(given, "args") and hasattr(given, "kwargs"):
        return tuple(given.args), dict(given.kwargs)
    if isinstance(given, Mapping):
        return (), dict(given)
    if isinstance(given, tuple | list):
        return tuple(given), {}
    message = f"args must be a tuple of positional arguments, a dict of others, or call(...): got {given!r}."
    raise TypeError(message)


def _insert(rows: WorkflowQuerySet, made: Workflow) -> bool:
    """Insert the row; whether it is new. The primary key decides between two who fork under one id."""
    try:
        with transaction.atomic(using=rows.db):
            made.save(using=rows.db, force_insert=True)
    except IntegrityError:
        existing = rows.filter(pk=made.pk).values_list("name", "forked_from", "fingerprint").first()
        if existing is None:
            raise
        if existing != (made.name, made.forked_from_id, made.fingerprint):
            wanted, found = f"a fork of {made.forked_from_id!r}", f"another {existing[0]!r}"
            raise WorkflowConflict(workflow_id=made.pk, wanted=wanted, existing=found) from None
        return False
    return True


def _choose(origin: Workflow, wanted: Fork, steps: Sequence[histories.Found]) -> Iterator[histories.Found]:
    """Yield the steps that the fork shares: those that have an outcome and come before its place."""
    finished = (step for step in steps if step.is_finished)
    if wanted.from_failure:
        failures = set(histories.failures(origin))
        return (step for step in finished if step.pk not in failures)
    point = _point(origin, wanted.from_step, steps)
    return (step for step in finished if point.follows(step.branch, step.position))


def _point(origin: Workflow, from_step: int | str | None, steps: Sequence[histories.Found]) -> places.At:
    if not isinstance(from_step, str):
        return places.at("", from_step or 1)
    if (point := places.read(from_step)) is not None:
        return point
    named = sorted({places.at(step.branch, step.position).numbers for step in steps if step.name == from_step})
    if len(named) == 1:
        return places.At(named[0])
    if named:
        where = ", ".join(str(places.At(numbers)) for numbers in named)
        message = f"Workflow {origin.pk!r} has several steps {from_step!r}: at {where}. Give one of these places."
    else:
        near = registry.nearest(from_step, {step.name for step in steps})
        message = f"Workflow {origin.pk!r} has no step {from_step!r} in its history.{near}"
    raise ValueError(message)


def _require_whole(rows: WorkflowQuerySet, replaced: Mapping[str, str]) -> None:
    """Raise WorkflowNotFound or WorkflowPruned unless what is read instead of children is there, and was not pruned."""
    if replaced:
        named = rows.filter(pk__in=replaced.values())
        for missing in sorted(set(replaced.values()) - set(named.values_list("pk", flat=True))):
            raise WorkflowNotFound(workflow_id=missing)
        retention.require_whole(named)


def _id_of(given: Any) -> str:
    """Return the id of a handle, of a row, or as it is."""
    return str(getattr(given, "id", given))


def _require_used(origin: Workflow, replaced: Mapping[str, str], shared: histories.Shared) -> None:
    unused = replaced.keys() - shared.children
    if unused:
        message = (
            f"{', '.join(map(repr, sorted(unused)))} is no child that workflow {origin.pk!r} has started in what the "
            "fork shares; replacement_children= maps such ids to others."
        )
        raise ValueError(message)
