"""Followers: workflows that start when another one fails or is cancelled, in the transaction that writes its end."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from durable_django import signals
from durable_django.base import ids, payloads, registry
from durable_django.conf import durable_settings

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: What of an ended workflow its follower is made of.
_READ = ("trace_context", "attempt", "arguments", "queue", "partition_key", "application", "on_failure", "on_cancel")


def start(rows: WorkflowQuerySet, workflow_ids: Collection[str], column: str) -> list[str]:
    """
    Start what follows the end of these. Return the ids. Call it in the transaction that ends them.

    column  on_failure or on_cancel, which holds the name of what follows

    It gets the id and then the arguments of the one that ended. It is no child of it, so that a cancellation of its
    tree does not reach what was to clean up behind it. Nothing here needs the code: the row alone says what follows.
    """
    if not workflow_ids:
        return []
    ended = rows.filter(pk__in=workflow_ids).exclude(**{column: ""}).only(*_READ)
    made = [_follower(workflow, column) for workflow in ended]
    if made:
        _rename_taken(rows, made)
        rows.bulk_create(made)
        signals.workflows_followed.send_robust(sender=None, alias=rows.db, count=len(made))
    return [follower.pk for follower in made]


def _rename_taken(rows: WorkflowQuerySet, made: list[Workflow]) -> None:
    """Give those another id whose own is taken: an attempt may end twice, and a purged id may be given again."""
    taken = set(rows.filter(pk__in=[follower.pk for follower in made]).values_list("pk", flat=True))
    for follower in made:
        if follower.pk in taken:
            follower.pk = ids.new_id()


def _follower(ended: Workflow, column: str) -> Workflow:
    name = getattr(ended, column)
    arguments = payloads.with_first(ended.pk, ended.arguments)
    declared = _declared(name, ended)
    return type(ended)(
        pk=ids.shortened(f"{ended.pk}:{column}:{ended.attempt}"),
        line=ids.next_line(),
        name=name,
        arguments=arguments,
        fingerprint=payloads.fingerprint(name, arguments),
        partition_key=_key_in(declared["queue"], ended),
        application=ended.application,
        trace_context=ended.trace_context,
        **declared,
    )


def _key_in(queue: str, ended: Workflow) -> str | None:
    """Return the key of the one that ended; if it has none and the queue wants one, the empty key, which many share."""
    is_wanted = registry.queues.limits_of(queue).is_partitioned
    return "" if is_wanted and ended.partition_key is None else ended.partition_key


def _declared(name: str, ended: Workflow) -> dict[str, Any]:
    """Return what the declaration says; of code that is not loaded here, what can be said without."""
    if not registry.workflows.knows(name):
        # The default queue of this project may be served by none of another one's workers; where it ended, some are.
        is_own = ended.application == durable_settings.APPLICATION
        queue = durable_settings.DEFAULT_QUEUE if is_own else ended.queue
        return {"queue": queue, "max_recoveries": durable_settings.MAX_RECOVERIES}
    found = registry.workflows.get(name)
    has_own = found.max_recoveries is not None
    return {
        "queue": found.queue or durable_settings.DEFAULT_QUEUE,
        "priority": found.priority,
        "is_async": found.is_async,
        "version": found.version,
        "timeout_seconds": found.timeout_seconds,
        "retention_seconds": found.retention_seconds,
        "max_recoveries": found.max_recoveries if has_own else durable_settings.MAX_RECOVERIES,
        "on_failure": registry.workflows.name_of_follower(found.on_failure),
        "on_cancel": registry.workflows.name_of_follower(found.on_cancel),
    }
