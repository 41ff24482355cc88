"""Streams: ordered values that a workflow publishes under keys, for readers who follow them live."""

from __future__ import annotations

from collections.abc import Sequence

from durable_django.engine import context, stepping
from durable_django.engine.calls import StepSpec
from durable_django.exceptions import StreamClosed
from durable_django.models.stream import StreamEntry
from durable_django.models.turns import short_transaction

#: What closes a stream: an entry without a value.
CLOSING = (None,)


def write(key: str, values: Sequence[str | None]) -> None:
    """
    Append stored texts to a stream: exactly once from a workflow, at least once from a plain step.

    Raises StreamClosed if it was closed before; closing it again does nothing.
    """
    _run, step = context.require_inside("write_stream()")
    if step is None:
        stepping.perform(_CLOSE if values is CLOSING else _WRITE, (key, values), {})
    else:
        _append(key, values)


def _append(key: str, values: Sequence[str | None]) -> None:
    run, step = context.current_place()
    # Without a savepoint: in an atomic step it would cost more than the entry.
    with short_transaction(run.alias, savepoint=False):
        run.lock_row()
        entries = StreamEntry.objects.using(run.alias)
        is_open = entries.append(run.workflow.pk, key, values, *step.place)
    if not is_open and values is not CLOSING:
        raise StreamClosed(workflow_id=run.workflow.pk, key=key)


_WRITE = StepSpec(name="write_stream", func=_append, is_atomic=True, kind="write_stream")
_CLOSE = StepSpec(name="close_stream", func=_append, is_atomic=True, kind="close_stream")
