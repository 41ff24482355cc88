"""Text -> value; whatever the text is, the answer is a value or UnreadablePayload."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import Error as DatabaseTrouble

from durable_django.base.payloads.texts import safe_str
from durable_django.base.payloads.writing import CONTENT, TAG
from durable_django.conf import durable_settings
from durable_django.exceptions import PayloadError, UnreadablePayload

UnpackFunction = Callable[[Any], Any]
UnpackFunctionT = TypeVar("UnpackFunctionT", bound=UnpackFunction)

#: Tag -> function that makes the value of the content, whose own tags are already resolved.
UNPACKERS: dict[str, UnpackFunction] = {}

#: Rows may have been written under a larger limit than today's, so this one is only against memory exhaustion.
MAX_STORED_BYTES = 64 * 1024 * 1024
#: A level of a value takes at most three levels of JSON; rows may predate a lowered MAX_DEPTH.
JSON_LEVELS_PER_LEVEL = 4
MIN_JSON_LEVELS = 1000

WRITTEN_BY_OTHERS = "It was damaged, or written by other code: compare the row with what wrote it."


def unpacks(*tags: str) -> Callable[[UnpackFunctionT], UnpackFunctionT]:
    """Enter the decorated function for these tags."""

    def enter(function: UnpackFunctionT) -> UnpackFunctionT:
        UNPACKERS.update(dict.fromkeys(tags, function))
        return function

    return enter


def decode(text: str) -> Any:
    """
    Return the value of a stored text.

    Plain JSON is a payload too: an object without the key "$py" is a dict, an array a list.
    Raises UnreadablePayload for everything that is not a payload. Reading a model instance asks the database, whose
    errors pass unchanged: a database that is away says nothing about the text.
    """
    return load(text, _DECODER)


def parse(text: str) -> Any:
    """Return the JSON of the text with its tags as they are; raises as decode() does."""
    return load(text, _PARSER)


def load(text: str, decoder: json.JSONDecoder) -> Any:
    """Return what the decoder makes of the text, within the limits; raises as decode() does."""
    _check_text(text)
    try:
        return decoder.decode(text)
    except PayloadError:
        raise
    except RecursionError as error:
        raise UnreadablePayload(
            reason="it is nested deeper than the stack allows here.", advice=WRITTEN_BY_OTHERS
        ) from error
    except ValueError as error:
        raise UnreadablePayload(reason=f"it is not JSON ({error}).", advice=WRITTEN_BY_OTHERS) from error


def as_text(content: object) -> str:
    """Return the content of a tag that must be a string."""
    if type(content) is not str:
        raise ValueError(f"a string was expected, not {type(content).__name__}")
    return content


def as_list(content: object, length: int | None = None) -> list[Any]:
    """Return the content of a tag that must be an array (of so many items)."""
    if type(content) is not list or (length is not None and len(content) != length):
        raise ValueError(f"an array was expected, not {type(content).__name__}, or one of another length")
    return content


def as_object(content: object) -> dict[str, Any]:
    """Return the content of a tag that must be an object."""
    if type(content) is not dict or not all(type(key) is str for key in content):
        raise ValueError(f"an object was expected, not {type(content).__name__}")
    return content


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise UnreadablePayload(reason=f"it is {type(text).__name__}, not text.", advice=WRITTEN_BY_OTHERS)
    if len(text) > MAX_STORED_BYTES:
        raise UnreadablePayload(reason=f"it has {len(text)} characters.", advice="Purge its payload.")
    if len(text) > MIN_JSON_LEVELS and _is_deeper(text):
        raise UnreadablePayload(reason="it is nested deeper than MAX_DEPTH.", advice=WRITTEN_BY_OTHERS)


def _unpack(found: dict[str, Any]) -> Any:
    if TAG not in found:
        return found
    tag = found[TAG]
    unpacker = UNPACKERS.get(tag) if type(tag) is str else None
    if unpacker is None:
        raise UnreadablePayload(
            reason=f"nothing is known of the tag {tag!r:.100}.",
            advice="Register its codec before it is read, or run the version of the code that wrote it.",
        )
    if len(found) != 2 or CONTENT not in found:  # noqa: PLR2004 - the tag and the content
        raise UnreadablePayload(reason=f"the tag {tag!r} stands among other keys.", advice=WRITTEN_BY_OTHERS)
    return _content(tag, unpacker, found[CONTENT])


def _content(tag: str, unpacker: UnpackFunction, content: object) -> Any:
    try:
        return unpacker(content)
    except (PayloadError, DatabaseTrouble, RecursionError):
        raise
    # Malformed content can raise anything, and so can the __eq__, __hash__ and codecs of users' classes.
    except Exception as error:
        raise UnreadablePayload(
            reason=f"what the tag {tag!r} holds is malformed ({type(error).__name__}: {safe_str(error)[:200]}).",
            advice=WRITTEN_BY_OTHERS,
        ) from error


def _refuse_constant(name: str) -> float:
    raise UnreadablePayload(reason=f"{name} is not JSON.", advice='Write {"$py": "float", "v": "nan"}.')


def _is_deeper(text: str) -> bool:
    allowed = max(MIN_JSON_LEVELS, JSON_LEVELS_PER_LEVEL * durable_settings.MAX_DEPTH)
    if text.count("[") + text.count("{") <= allowed:
        return False
    brackets = _NOT_BRACKETS.sub("", _STRING.sub("", text))
    for _ in range(allowed):
        if not brackets:
            return False
        # Innermost pairs first: every round takes one level off.
        brackets = brackets.replace("[]", "").replace("{}", "")
    return bool(brackets)


_DECODER = json.JSONDecoder(object_hook=_unpack, parse_constant=_refuse_constant)
_PARSER = json.JSONDecoder(parse_constant=_refuse_constant)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
