"""Secrets in stored values, hidden before anybody sees them: every named part and every text is asked about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from durable_django.base.payloads.error_reading import ErrorDescription
from durable_django.base.payloads.writing import CONTENT, TAG
from durable_django.redaction import Redact

#: Deeper levels are not shown, and what is not shown needs no asking.
_MAX_LEVELS = 200
_TOO_DEEP = "..."


def redacted(tree: Any, redact: Redact, name: str = "", level: int = 0) -> Any:
    """
    Return a parsed value as it may be shown.

    name  what holds it: a key, a parameter, a topic
    """
    if level > _MAX_LEVELS:
        return _TOO_DEEP
    answer = redact(name, tree)
    if answer is not tree:
        return answer if isinstance(answer, str) else str(answer)
    if type(tree) is list:
        return [redacted(item, redact, "", level + 1) for item in tree]
    if type(tree) is not dict:
        return tree
    if TAG in tree:
        return {**tree, CONTENT: _content(tree, redact, level + 1)}
    return _told_apart(_pair([key, value], redact, level + 1) for key, value in tree.items())


def redacted_call(tree: Any, redact: Redact, parameters: Sequence[str] = ()) -> Any:
    """
    Return parsed arguments as they may be shown.

    parameters  the names of the positional ones, as far as the code that declares them is loaded
    """
    if type(tree) is list:
        return _positional(tree, redact, parameters)
    if type(tree) is not dict or type(tree.get("args", [])) is not list:
        return redacted(tree, redact)
    others = {key: redacted(value, redact) for key, value in tree.items() if key != "args"}
    return {**({"args": _positional(tree["args"], redact, parameters)} if "args" in tree else {}), **others}


def redacted_error(found: ErrorDescription, redact: Redact) -> ErrorDescription:
    """Return the description of an error as it may be shown, with that of its causes."""
    return replace(
        found,
        message=str(redact("", found.message)),
        traceback=str(redact("", found.traceback)),
        notes=tuple(str(redact("", note)) for note in found.notes),
        cause=found.cause and redacted_error(found.cause, redact),
    )


def _positional(values: list[Any], redact: Redact, parameters: Sequence[str]) -> list[Any]:
    names = [*parameters, *[""] * len(values)]
    return [redacted(value, redact, name) for value, name in zip(values, names, strict=False)]


def _content(tree: dict[str, Any], redact: Redact, level: int) -> Any:
    content = tree.get(CONTENT)
    if tree[TAG] == "dict" and type(content) is list:
        return [_pair(pair, redact, level) for pair in content]
    # Texts stand in pieces, which alone are no names and no secrets.
    if tree[TAG] == "str" and type(content) is list and all(type(piece) is str for piece in content):
        return [redacted("".join(content), redact, "", level)]
    return redacted(content, redact, "", level)


def _told_apart(pairs: Iterable[Any]) -> dict[str, Any]:
    """Return a dict of the pairs; keys that are hidden become equal, and none takes the place of another."""
    found: dict[str, Any] = {}
    times: Counter[str] = Counter()
    for key, value in pairs:
        times[key] += 1
        found[key if times[key] == 1 else f"{key} {times[key]}"] = value
    return found


def _pair(pair: Any, redact: Redact, level: int) -> Any:
    if type(pair) is not list or len(pair) != 2:  # noqa: PLR2004 - key and value
        return redacted(pair, redact, "", level)
    key, value = pair
    return [redacted(key, redact, "", level), redacted(value, redact, key if type(key) is str else "", level)]
