"""
Streams for browsers: server-sent events, from any entry on, for those whom the project lets read them.

Source of the format: WHATWG HTML Living Standard, section 9.2 (Server-sent events).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_GET

from durable_django.api.readers import READERS, leave_connections
from durable_django.api.streams import StreamReader
from durable_django.base import clock
from durable_django.conf import durable_settings
from durable_django.exceptions import WorkflowNotFound, WorkflowPruned

#: A line for nobody, now and then, so that neither side takes a silent connection for a dead one.
_QUIET_SECONDS = 15.0
_QUIET = ": nothing new\n\n"
_END = "event: end\ndata: null\n\n"


@require_GET
def stream(request: HttpRequest, workflow_id: str, key: str) -> StreamingHttpResponse:
    """
    Send the entries of a stream as they come, then an event named `end`.

    Each entry is a message: its data is the value as JSON, its id the offset. A browser that lost the connection sends
    the last id (Last-Event-ID) and goes on behind it. Who may read what is decided by the callable that the setting
    STREAM_PERMISSION names, called with request, workflow_id and key, async or not; without one, nobody may. Under
    WSGI each reader holds a thread of the server and its connection to the database, under ASGI neither.
    """
    if not _is_permitted(request, workflow_id, key):
        raise PermissionDenied
    try:
        reader = StreamReader(workflow_id, key, _offset(request), None)
        first = reader.look()
    except (WorkflowNotFound, WorkflowPruned, ValueError) as error:
        raise Http404(str(error)) from error
    body = _afollow(reader, first) if isinstance(request, ASGIRequest) else _follow(reader, first)
    # The last one keeps nginx from collecting the entries.
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(body, content_type="text/event-stream", headers=headers)


def _is_permitted(request: HttpRequest, workflow_id: str, key: str) -> bool:
    chosen: Any = durable_settings.STREAM_PERMISSION
    answer = bool(chosen) and import_string(chosen)(request, workflow_id, key)
    # What is yet to be awaited would count as a yes.
    return bool(async_to_sync(_awaited)(answer) if inspect.isawaitable(answer) else answer)


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def _offset(request: HttpRequest) -> int:
    """Return the offset behind the last entry that the reader has; one that makes no sense counts as none."""
    last = request.headers.get("Last-Event-ID", "")
    return int(last) + 1 if last.isascii() and last.isdecimal() and len(last) < 18 else 0  # noqa: PLR2004


def _follow(reader: StreamReader, found: list[tuple[int, str]]) -> Iterator[str]:
    said_at = clock.elapsed_seconds()
    while True:
        if text := _text(reader, found, said_at):
            said_at = clock.elapsed_seconds()
            yield text
        if reader.is_over:
            return
        time.sleep(reader.pause)
        found = _look_again(reader)


async def _afollow(reader: StreamReader, found: list[tuple[int, str]]) -> AsyncIterator[str]:
    said_at = clock.elapsed_seconds()
    await leave_connections()
    async with READERS.reading() as in_thread:
        while True:
            if text := _text(reader, found, said_at):
                said_at = clock.elapsed_seconds()
                yield text
            if reader.is_over:
                return
            await asyncio.sleep(reader.pause)
            found = await in_thread(partial(_look_again, reader))


def _look_again(reader: StreamReader) -> list[tuple[int, str]]:
    try:
        return reader.look_again()
    except (WorkflowNotFound, WorkflowPruned):
        # Its row was deleted, or pruned: nothing more will come.
        reader.is_over = True
        return []


def _text(reader: StreamReader, found: list[tuple[int, str]], said_at: float) -> str:
    """Return what is to be sent after a look, which may be nothing."""
    # Stored texts are JSON on one line: no value can end a message early.
    text = "".join(f"id: {offset}\ndata: {value}\n\n" for offset, value in found)
    if reader.is_over:
        return text + _END
    if not text and clock.elapsed_seconds() - said_at > _QUIET_SECONDS:
        return _QUIET
    return text
