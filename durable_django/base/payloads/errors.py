"""Exception -> text, as the recorded outcome of a step or workflow; recording a failure cannot fail."""

from __future__ import annotations

import json
import traceback
from typing import Any

from durable_django.base.payloads.classes import class_path, dotted
from durable_django.base.payloads.encoding import encode
from durable_django.base.payloads.packing import Tree
from durable_django.base.payloads.raised import children_of, own_args, state_of
from durable_django.base.payloads.texts import cut, safe_repr, safe_str
from durable_django.base.payloads.writing import dump
from durable_django.conf import durable_settings

#: First line of the note that decode_error() leaves, by which the text is known when the error is stored again.
RAISED_FIRST = "Traceback of the recorded error:\n"
#: Causes of causes, groups in groups.
MAX_LINKS = 8
MAX_CHILDREN = 10
MAX_NOTES = 20
MAX_ATTRIBUTES = 50
#: The innermost frames; a recursion without end has a thousand of them.
MAX_FRAMES = 100
#: Below this (bytes) a record would consist of the marks of what was cut.
MIN_BYTES = 1024
#: With less (bytes) left, an error is stored without its links: groups in groups would multiply.
MIN_LINKED_BYTES = 256


def encode_error(error: BaseException) -> str:
    """
    Return the text to store for an exception, of at most about MAX_ERROR_BYTES.

    It holds the class, the message, the arguments and attributes (those that cannot be stored as their text), the
    notes, the traceback without local variables, and the same of its causes and of the children of a group.
    """
    budget = max(MIN_BYTES, durable_settings.MAX_ERROR_BYTES)
    try:
        return dump(_record(error, budget, MAX_LINKS))
    except Exception as trouble:  # noqa: BLE001 - whatever a class does when looked at, the failure must be recorded
        return dump(_bare_record(error, trouble, budget))


def _record(error: BaseException, budget: int, links: int) -> Tree:
    """Return the record of one error: most of the budget for itself, the rest for the errors it is linked to."""
    state = state_of(error)
    notes = _notes(state.pop("__notes__", ()))
    record = {
        "type": cut(class_path(type(error)), 500),
        "message": cut(safe_str(error), budget // 8),
        "args": _args(own_args(error), budget // 8),
        "state": _state(state, budget // 8),
        "notes": [cut(note, budget // 16 // MAX_NOTES) for note in notes if not note.startswith(RAISED_FIRST)],
        "traceback": cut(_traceback(error, notes), budget * 3 // 16),
        **(_links(error, budget * 3 // 8, links - 1) if links and budget >= MIN_LINKED_BYTES else {}),
    }
    return {key: value for key, value in record.items() if value}


def _bare_record(error: BaseException, trouble: Exception, budget: int) -> Tree:
    note = f"Only this much of the error could be stored: {type(trouble).__name__} while it was looked at."
    return {
        "type": cut(class_path(type(error)), 500),
        "message": cut(safe_str(error), budget // 4),
        "notes": [note],
        "traceback": cut(_traceback(error, []), budget // 4),
    }


def _links(error: BaseException, budget: int, links: int) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    implicit = error.__cause__ is None and not error.__suppress_context__
    cause = error.__context__ if implicit else error.__cause__
    children = children_of(error)
    share = budget // (min(len(children), MAX_CHILDREN) + (cause is not None) or 1)
    if cause is not None:
        found = {"cause": _record(cause, share, links), "implicit": implicit}
    if children:
        found["children"] = [_record(child, share, links) for child in children[:MAX_CHILDREN]]
        found["children_left_out"] = max(0, len(children) - MAX_CHILDREN)
    return found


def _args(args: tuple[Any, ...], left: int) -> list[Tree]:
    stored: list[Tree] = []
    for arg in args[:MAX_ATTRIBUTES]:
        # Half of what is left for each: what comes first tells most.
        stored.append(_stored(arg, left // 2))
        left -= len(dump(stored[-1]))
    return stored


def _state(state: dict[str, Any], left: int) -> dict[str, Tree]:
    stored: dict[str, Tree] = {}
    for name, value in list(state.items())[:MAX_ATTRIBUTES]:
        key = cut(str(name), 200)
        stored[key] = _stored(value, left // 2)
        left -= len(dump({key: stored[key]}))
    return stored


def _stored(value: object, allowed: int) -> Tree:
    """Return the tree of the value; of one that cannot be stored, or is too large, a text that says what it was."""
    try:
        text = encode(value)
    except Exception:  # noqa: BLE001 - evaluating a lazy object may raise anything, amid a failure above all
        return cut(f"<not stored: {safe_repr(value)}>", allowed)
    if len(text) <= allowed:
        return json.loads(text)
    return cut(value, allowed) if type(value) is str else cut(f"<not stored: {safe_repr(value)}>", allowed)


def _notes(notes: object) -> list[str]:
    if not isinstance(notes, (list, tuple)):
        return []
    return [str.__str__(note) for note in notes[:MAX_NOTES] if isinstance(note, str)]


def _traceback(error: BaseException, notes: list[str]) -> str:
    """Return the frames, without locals, after the traceback of an earlier life that a note tells."""
    earlier = [note.removeprefix(RAISED_FIRST) for note in notes if note.startswith(RAISED_FIRST)]
    frames = _frames(error)
    if not frames:
        return "".join(earlier)
    title = "Raised again:\n" if earlier else "Traceback (most recent call last):\n"
    last = f"{dotted(class_path(type(error)))}: {cut(safe_str(error), 1000)}\n"
    return "".join([*earlier, title, frames, last])


def _frames(error: BaseException) -> str:
    try:
        steps = traceback.walk_tb(error.__traceback__)
        return "".join(traceback.StackSummary.extract(steps, limit=-MAX_FRAMES, capture_locals=False).format())
    except Exception as trouble:  # noqa: BLE001 - source lines come from the loaders of modules
        return f"  <frames that could not be formatted: {type(trouble).__name__}>\n"
