"""How each kind of stored value is written for people; the values themselves are not made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_django.base.payloads.classes import dotted
from durable_django.base.payloads.custom import NAMESPACE
from durable_django.base.payloads.decoding import UNPACKERS, WRITTEN_BY_OTHERS
from durable_django.base.payloads.layout import Group, Node, flat
from durable_django.base.payloads.writing import CONTENT, TAG
from durable_django.exceptions import UnreadablePayload

#: Deeper levels are shown as three dots.
MAX_SHOWN_LEVELS = 30


def node_of(tree: Any, level: int = 0) -> Node:
    """
    Return what a parsed value looks like.

    Raises UnreadablePayload for a tag that nobody registered, or one whose content is malformed.
    """
    if level > MAX_SHOWN_LEVELS:
        return "..."
    if type(tree) is list:
        return _sequence("[", tree, "]", level)
    if type(tree) is not dict:
        return repr(tree)
    return _tagged(tree, level) if TAG in tree else _mapping(list(tree.items()), level)


def _tagged(tree: dict[str, Any], level: int) -> Node:
    tag = tree[TAG]
    if type(tag) is not str or tag not in UNPACKERS:
        raise UnreadablePayload(
            reason=f"nothing is known of the tag {tag!r:.100}.",
            advice="Register its codec before it is read, or run the version of the code that wrote it.",
        )
    if tree.keys() != {TAG, CONTENT}:
        raise UnreadablePayload(reason=f"the tag {tag!r} stands among other keys.", advice=WRITTEN_BY_OTHERS)
    shape = _SHAPES.get(tag) or _call_of(_WORDS.get(tag, tag.removeprefix(NAMESPACE)))
    try:
        return shape(tree[CONTENT], level + 1)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UnreadablePayload(reason=f"what the tag {tag!r} holds is malformed.", advice=WRITTEN_BY_OTHERS) from error


def _sequence(opening: str, items: list[Any], closing: str, level: int) -> Group:
    return Group(opening, tuple([("", node_of(item, level + 1)) for item in items]), closing)


def _mapping(pairs: list[Any], level: int) -> Group:
    parts = [(f"{flat(node_of(key, level + 1))}: ", node_of(value, level + 1)) for key, value in pairs]
    return Group("{", tuple(parts), "}")


def _call_of(word: str) -> Callable[[Any, int], Node]:
    return lambda content, level: Group(f"{word}(", (("", node_of(content, level)),), ")")


def _tuple(content: Any, level: int) -> Node:
    group = _sequence("(", content, ")", level)
    # The comma that makes it a tuple: an empty part, which no line is given to.
    return Group("(", (*group.parts, ("", "")), ")") if len(content) == 1 else group


def _set(content: Any, level: int) -> Node:
    return _sequence("{", content, "}", level) if content else "set()"


def _record(content: Any, level: int) -> Node:
    path, fields = content
    return Group(f"{_class_name(path)}(", tuple([(f"{n}=", node_of(v, level)) for n, v in fields.items()]), ")")


def _member(content: Any, _level: int) -> Node:
    path, name = content
    return f"{_class_name(path)}.{name}"


def _flags(content: Any, _level: int) -> Node:
    path, number = content
    return f"{_class_name(path)}({number!r})"


def _instance(content: Any, level: int) -> Node:
    label, alias, key = content
    place = "" if alias == "default" else f" in {alias}"
    return f"<{label} {flat(node_of(key, level))}{place}>"


def _exception(content: Any, level: int) -> Node:
    return _sequence(f"{_class_name(content['type'])}(", content.get("args", []), ")", level)


def _path(content: Any, level: int) -> Node:
    name, text = content
    return f"{name}({flat(node_of(text, level))})"


def _timedelta(content: Any, _level: int) -> Node:
    units = zip(("days", "seconds", "microseconds"), content, strict=True)
    return f"timedelta({', '.join(f'{unit}={count!r}' for unit, count in units if count) or '0'})"


def _moment(word: str) -> Callable[[Any, int], Node]:
    def written(content: Any, _level: int) -> Node:
        if type(content) is str:
            return f"{word}({content!r})"
        zone = content.get("zone") or content.get("name") or ""
        return f"{word}({content['at']!r}{f', {zone!r}' if zone else ''})"

    return written


def _class_name(path: str) -> str:
    return dotted(path).rpartition(".")[2]


#: Tags that are written in a way of their own; all others as a call, `decimal` as Decimal('1.50').
_SHAPES: dict[str, Callable[[Any, int], Node]] = {
    "int": lambda content, _level: str(content),
    "float": lambda content, _level: str(content),
    "str": lambda content, _level: repr("".join(content)),
    "safe": node_of,
    "tuple": _tuple,
    "set": _set,
    "frozenset": lambda content, level: _sequence("frozenset({", content, "})", level),
    "dict": _mapping,
    "dataclass": _record,
    "enum": _member,
    "flags": _flags,
    "model": _instance,
    "exception": _exception,
    "path": _path,
    "timedelta": _timedelta,
    "datetime": _moment("datetime"),
    "time": _moment("time"),
}
_WORDS = {"decimal": "Decimal", "uuid": "UUID"}
