"""Text -> exception, or a description of it; a recorded failure is always readable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from durable_django.base.payloads.classes import dotted
from durable_django.base.payloads.decoding import decode, parse
from durable_django.base.payloads.errors import MAX_LINKS, RAISED_FIRST
from durable_django.base.payloads.raised import exception_class, rebuild, restore_state, set_cause
from durable_django.exceptions import PayloadError, UnreadablePayload, WorkflowFailed


@dataclass(frozen=True)
class ErrorDescription:
    """What a recorded error says, for people: nothing of it was rebuilt, looked up or evaluated."""

    type: str
    message: str
    traceback: str = ""
    notes: tuple[str, ...] = ()
    cause: ErrorDescription | None = None


def describe_error(text: str) -> ErrorDescription:
    """Return the description of a recorded error; of a damaged one, what is wrong with it."""
    return _describe(_read(text), MAX_LINKS)


def decode_error(text: str, workflow_id: str = "") -> Exception:
    """
    Return the recorded exception.

    Its own class is used only if that is loaded and an Exception, and its constructor does not run. Otherwise the
    answer is WorkflowFailed with type, message and traceback. The traceback is attached as a note.
    Never raises, except that reading a model instance among the arguments may find the database away.
    """
    return _error(_read(text), workflow_id, MAX_LINKS)


def _read(text: str) -> dict[str, Any]:
    try:
        record = parse(text)
    except UnreadablePayload as error:
        return {"type": "unreadable", "message": str(error)}
    if type(record) is not dict:
        return {"type": "unknown", "message": str(record)[:1000]}
    return record


def _describe(record: dict[str, Any], links: int) -> ErrorDescription:
    cause = record.get("cause")
    return ErrorDescription(
        type=dotted(_text(record, "type") or "unknown"),
        message=_text(record, "message"),
        traceback=_text(record, "traceback"),
        notes=_notes(record),
        cause=_describe(cause, links - 1) if type(cause) is dict and links else None,
    )


def _error(record: dict[str, Any], workflow_id: str, links: int) -> Exception:
    error = _original(record, workflow_id, links) or _stand_in(record, workflow_id)
    for note in _notes(record):
        BaseException.add_note(error, note)
    if _text(record, "traceback"):
        BaseException.add_note(error, RAISED_FIRST + _text(record, "traceback"))
    _link(error, record, workflow_id, links)
    return error


def _original(record: dict[str, Any], workflow_id: str, links: int) -> Exception | None:
    kind = exception_class(_text(record, "type"))
    if kind is None:
        return None
    args = [_value(tree) for tree in _list(record, "args")]
    state = record.get("state")
    state = {name: _value(tree) for name, tree in state.items()} if type(state) is dict else {}
    children = _children(record, workflow_id, links)
    try:
        error = rebuild(kind, args, children)
        restore_state(error, state)
    except Exception:  # noqa: BLE001 - a damaged record, or a class changed beyond recognition; the stand-in tells
        return None
    return error


def _stand_in(record: dict[str, Any], workflow_id: str) -> Exception:
    return WorkflowFailed(
        workflow_id=workflow_id,
        type=dotted(_text(record, "type") or "unknown"),
        error=_text(record, "message"),
        traceback=_text(record, "traceback"),
    )


def _link(error: Exception, record: dict[str, Any], workflow_id: str, links: int) -> None:
    cause = record.get("cause")
    if type(cause) is not dict or not links:
        return
    found = _error(cause, workflow_id, links - 1)
    if record.get("implicit") is True:
        BaseException.__dict__["__context__"].__set__(error, found)
    else:
        set_cause(error, found)


def _children(record: dict[str, Any], workflow_id: str, links: int) -> list[Exception]:
    records = [child for child in _list(record, "children") if type(child) is dict] if links else []
    return [_error(child, workflow_id, links - 1) for child in records]


def _value(tree: Any) -> Any:
    try:
        return decode(json.dumps(tree))
    except (PayloadError, RecursionError) as error:
        return f"<not readable: {error}>"


def _notes(record: dict[str, Any]) -> tuple[str, ...]:
    notes = [note for note in _list(record, "notes") if type(note) is str]
    left_out = record.get("children_left_out")
    return (*notes, f"{left_out} more exceptions were not stored.") if left_out else tuple(notes)


def _text(record: dict[str, Any], key: str) -> str:
    text = record.get(key)
    return text if type(text) is str else ""


def _list(record: dict[str, Any], key: str) -> list[Any]:
    found = record.get(key)
    return found if type(found) is list else []
