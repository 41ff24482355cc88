"""
Stored values as people read them: in the look of Python, or why they cannot be read. Never raises.

Nothing is rebuilt, looked up or evaluated: no class need be loaded, no row is read, no code of the project runs. So
whatever a row holds can be shown, at the cost of parsing its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from durable_django.base.payloads.decoding import WRITTEN_BY_OTHERS, parse
from durable_django.base.payloads.error_reading import describe_error
from durable_django.base.payloads.layout import Group, flat, laid_out
from durable_django.base.payloads.redacting import redacted, redacted_call, redacted_error
from durable_django.base.payloads.shapes import node_of
from durable_django.base.payloads.writing import CONTENT, TAG
from durable_django.base.texts import shortened
from durable_django.exceptions import UnreadablePayload
from durable_django.redaction import Redact


def describe_call(
    stored: str,
    longest: int = 2000,
    *,
    width: int | None = None,
    redact: Redact | None = None,
    parameters: Sequence[str] = (),
) -> str:
    """
    Return stored arguments as they were written in the call: (7, express=True).

    width       break into lines of about so many characters; None for one line
    redact      what is asked about every part before it is shown; None shows all
    parameters  names of the positional arguments, which redact is asked about
    """
    try:
        tree = parse(stored)
        args, kwargs = call_of(tree if redact is None else redacted_call(tree, redact, parameters))
        parts = [*(("", node_of(value)) for value in args), *((f"{name}=", node_of(kwargs[name])) for name in kwargs)]
    except UnreadablePayload as error:
        return _unreadable(error, longest)
    return _written(Group("(", tuple(parts), ")"), longest, width)


def describe_value(
    stored: str | None, longest: int = 2000, *, width: int | None = None, redact: Redact | None = None, name: str = ""
) -> str | None:
    """
    Return a stored value as Python writes it, None if there is none.

    width   break into lines of about so many characters; None for one line
    redact  what is asked about every part before it is shown; None shows all
    name    what holds the value, which redact is asked about
    """
    if stored is None:
        return None
    try:
        tree = parse(stored)
        node = node_of(tree if redact is None else redacted(tree, redact, name))
    except UnreadablePayload as error:
        return _unreadable(error, longest)
    return _written(node, longest, width)


def describe_error_line(stored: str | None, longest: int = 2000, *, redact: Redact | None = None) -> str | None:
    """Return a stored error as type and message, None if there is none."""
    if stored is None:
        return None
    found = describe_error(stored) if redact is None else redacted_error(describe_error(stored), redact)
    return shortened(f"{found.type}: {found.message}" if found.message else found.type, longest)


def call_of(tree: Any) -> tuple[list[Any], dict[str, Any]]:
    """
    Return the positional and keyword arguments of a parsed call, their own values as parsed.

    Raises UnreadablePayload if it is no call.
    """
    call = {"args": tree} if type(tree) is list else tree
    if type(call) is dict and call.keys() <= {"args", "kwargs"}:
        args, kwargs = call.get("args", []), _keywords(call.get("kwargs", {}))
        if type(args) is list and type(kwargs) is dict:
            return args, kwargs
    raise UnreadablePayload(
        reason='it is not the arguments of a call: an array, or {"args": [...], "kwargs": {...}}.',
        advice=WRITTEN_BY_OTHERS,
    )


def _keywords(tree: Any) -> Any:
    """Return the keyword arguments; names that JSON cannot hold stand in pairs."""
    if type(tree) is not dict or tree.get(TAG) != "dict" or type(tree.get(CONTENT)) is not list:
        return tree
    pairs = [pair for pair in tree[CONTENT] if type(pair) is list and len(pair) == 2]  # noqa: PLR2004 - name and value
    return {flat(node_of(name)).strip("'"): value for name, value in pairs}


def _written(node: Any, longest: int, width: int | None) -> str:
    return shortened(flat(node) if width is None else laid_out(node, width), longest)


def _unreadable(error: UnreadablePayload, longest: int) -> str:
    return shortened(f"(unreadable: {error})", longest)
