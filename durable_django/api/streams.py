"""Reading streams live: from any process, from any entry on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

from durable_django.api.communication import key_of
from durable_django.api.durations import seconds_of
from durable_django.api.handles import require_may_wait
from durable_django.api.readers import READERS
from durable_django.base import clock, ids, payloads
from durable_django.engine import context
from durable_django.exceptions import OutsideWorkflow, StreamTimeout, WorkflowNotFound, WorkflowPruned
from durable_django.models.status import Status
from durable_django.models.stream import StreamEntry
from durable_django.models.workflow import Workflow

_SHORTEST_PAUSE_SECONDS = 0.005
#: While entries come, a reader looks so often; after some silence less and less often.
_LIVELY_PAUSE_SECONDS = 0.02
_LIVELY_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 0.25


def read_stream(workflow_id: str, key: str, offset: int = 0, timeout: float | timedelta | None = None) -> Iterator[Any]:
    """
    Yield the values of a stream in order, live, until it is closed or its workflow has ended.

    offset   of the first entry wanted; entries count from 0
    timeout  seconds, or a timedelta, to wait for the next entry; None waits for ever

    Raises WorkflowNotFound, WorkflowPruned if it ended so long ago that its streams are gone, StreamTimeout,
    OutsideWorkflow in a workflow (read in a step), InsideTransaction if it would have to wait inside atomic().
    """
    reader = StreamReader(workflow_id, key, offset, timeout)

    def follow() -> Iterator[Any]:
        while not reader.is_over:
            for _offset, text in reader.look_again():
                yield payloads.decode(text)
            time.sleep(reader.pause)

    return follow()


def aread_stream(
    workflow_id: str, key: str, offset: int = 0, timeout: float | timedelta | None = None
) -> AsyncIterator[Any]:
    """See read_stream()."""
    reader = StreamReader(workflow_id, key, offset, timeout)

    def look() -> list[Any]:
        return [payloads.decode(text) for _offset, text in reader.look_again()]

    async def follow() -> AsyncIterator[Any]:
        async with READERS.reading() as in_thread:
            while not reader.is_over:
                for value in await in_thread(look):
                    yield value
                await asyncio.sleep(reader.pause)

    return follow()


class StreamReader:
    """
    A place in a stream, from which its entries are read as they come.

    is_over  the stream was closed, or its workflow has ended, and everything was read
    pause    seconds to wait before the next look; 0 if there may be more at once
    seen_at  moment of elapsed_seconds() at which the last entry came
    """

    def __init__(self, workflow_id: str, key: str, offset: int, timeout: float | timedelta | None) -> None:
        self.workflow_id = ids.validate_id(workflow_id)
        self.key = key_of(key, "key")
        self.offset = _offset_of(offset)
        self.timeout = None if timeout is None else seconds_of(timeout, "timeout")
        self.is_over = False
        self.pause = 0.0
        self.seen_at = clock.elapsed_seconds()
        if context.current_run() is not None and context.current_step() is None:
            advice = "What comes when is not recorded: read it in a step."
            raise OutsideWorkflow(operation="read_stream()", where="outside of workflows, or in a step", advice=advice)

    def look_again(self) -> list[tuple[int, str]]:
        """Look, behind the pause that the last look asked for. Raises InsideTransaction if nothing could come in it."""
        if self.pause:
            require_may_wait(f"read_stream() of {self.key!r} of workflow {self.workflow_id!r}")
        return self.look()

    def look(self) -> list[tuple[int, str]]:
        """Return offset and stored text of the entries that have come since the last look."""
        alias = context.alias_of_workflows()
        # The status first: what was written before the end is then seen, too.
        rows = Workflow.objects.using(alias).filter(pk=self.workflow_id)
        status, pruned_at = rows.values_list("status", "pruned_at").first() or (None, None)
        if pruned_at is not None:
            # Some entries of a long stream may be left.
            raise WorkflowPruned(workflow_id=self.workflow_id, status=status)
        found = StreamEntry.objects.using(alias).behind(self.workflow_id, self.key, self.offset)
        if not found:
            self._rest(status)
            return []
        self.pause, self.seen_at = 0.0, clock.elapsed_seconds()
        self.offset = found[-1][0] + 1
        self.is_over = found[-1][1] is None
        return [(offset, value) for offset, value in found if value is not None]

    def _rest(self, status: str | None) -> None:
        """Decide how long to wait after a look that found nothing, if at all."""
        if status is None:
            raise WorkflowNotFound(workflow_id=self.workflow_id)
        self.is_over = status in Status.terminal()
        if self.is_over:
            self.pause = 0.0
            return
        silence = clock.elapsed_seconds() - self.seen_at
        if self.timeout is not None and silence >= self.timeout:
            raise StreamTimeout(workflow_id=self.workflow_id, key=self.key, timeout=self.timeout)
        longest = _LIVELY_PAUSE_SECONDS if silence < _LIVELY_SECONDS else _LONGEST_PAUSE_SECONDS
        left = longest if self.timeout is None else self.timeout - silence
        self.pause = min(max(_SHORTEST_PAUSE_SECONDS, self.pause * 1.5), longest, left)


def _offset_of(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        message = f"offset must be a whole number from 0, got {value!r}."
        raise ValueError(message)
    return value
