"""Tree -> text: JSON in ASCII, written in C."""

from __future__ import annotations

import json.encoder
import math
import re
from collections.abc import Callable
from typing import Any

#: Writes a string with its quotes.
escape = json.encoder.encode_basestring_ascii

#: Writes a tree. NaN must have become a tag by now: it is not JSON, though json would write it.
dump = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")).encode

#: The key that makes an object a tagged value, and the key of its content.
TAG = "$py"
CONTENT = "v"

#: Types that JSON says exactly, apart from NaN, huge integers and split surrogates.
FLAT = {type(None), bool, int, float, str}

#: Every integer that needs a tag (more than 2048 bits) has more digits than this.
_HUGE_INTEGER = re.compile("[0-9]{600}")
_ONLY_STR = {str}
_WORD = 2**63


def flat_text(value: object) -> str | None:
    """
    Return the text of a scalar, or of a list or dict of scalars, that needs no tag; None for all others.

    The same text as the long way through packing.py, but looked at as a whole instead of part by part.
    """
    writer = _WRITERS.get(type(value))
    return None if writer is None else writer(value)


def dump_flat(tree: object) -> str | None:
    """Return the text of a tree of FLAT values; None if one of them needs a tag after all."""
    try:
        text = dump(tree)
    except ValueError:
        # NaN, or an integer over Python's digit limit.
        return None
    return None if "\\ud" in text or _HUGE_INTEGER.search(text) else text


def _int_text(value: int) -> str | None:
    return repr(value) if -_WORD < value < _WORD else None


def _float_text(value: float) -> str | None:
    return repr(value) if math.isfinite(value) else None


def _str_text(value: str) -> str | None:
    text = escape(value)
    # Two surrogates in a row may have to be kept apart.
    return None if "\\ud" in text else text


def _list_text(value: list[Any]) -> str | None:
    return dump_flat(value) if set(map(type, value)) <= FLAT else None


def _dict_text(value: dict[Any, Any]) -> str | None:
    if TAG in value or not set(map(type, value)) <= _ONLY_STR or not set(map(type, value.values())) <= FLAT:
        return None
    return dump_flat(value)


_WRITERS: dict[type, Callable[[Any], str | None]] = {
    type(None): lambda _value: "null",
    bool: lambda value: "true" if value else "false",
    int: _int_text,
    float: _float_text,
    str: _str_text,
    list: _list_text,
    dict: _dict_text,
}
