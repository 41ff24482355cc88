"""The arguments of a call, stored as {"args": [...], "kwargs": {...}}, and their fingerprint."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from durable_django.base.payloads.decoding import WRITTEN_BY_OTHERS, decode, load
from durable_django.base.payloads.encoding import check_size, encode, explaining, new_packer
from durable_django.base.payloads.packing import Packer, Tree, tagged
from durable_django.base.payloads.scalars import pack_str
from durable_django.base.payloads.writing import CONTENT, FLAT, TAG, dump, dump_flat
from durable_django.exceptions import UnreadablePayload

#: What errors call all arguments together.
ALL = "argument list"


def encode_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """
    Return the text to store for the arguments of a call; keyword arguments are put in alphabetical order.

    Errors are those of encode(), with paths such as "argument 1" and "argument 'order'[2]".
    """
    kwargs = dict(sorted(kwargs.items()))
    text = _flat_call(args, kwargs) or _packed_call(args, kwargs)
    check_size(text, ALL)
    return text


def decode_call(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """
    Return the positional and keyword arguments of a stored call.

    Other languages may write an array of positional arguments, or an object with `args`, `kwargs` or both.
    Raises as decode() does.
    """
    found = decode(text)
    call = {"args": found} if type(found) is list else found
    if type(call) is not dict or not call.keys() <= {"args", "kwargs"}:
        raise _unreadable_call()
    args, kwargs = call.get("args", []), call.get("kwargs", {})
    if type(args) is not list or type(kwargs) is not dict or not all(type(key) is str for key in kwargs):
        raise _unreadable_call()
    return tuple(args), kwargs


def with_first(value: str, encoded_call: str) -> str:
    """Return the text of a call that has a text as one more argument, before the others; of one alone if unreadable."""
    first = json.loads(encode(value))
    try:
        found = load(encoded_call, _AS_IT_IS)
        call = {"args": found} if type(found) is list else found
        return dump({"args": [first, *call.get("args", [])], "kwargs": call.get("kwargs", {})})
    except (UnreadablePayload, RecursionError, AttributeError, TypeError, ValueError):
        return dump({"args": [first], "kwargs": {}})


def fingerprint(name: str, encoded_call: str) -> str:
    """
    Return 32 hexadecimal digits that are equal for equal calls: same name, arguments equal in type and value.

    The order of keyword arguments and of the keys of dicts does not count, nor does who wrote the JSON.
    """
    text = f"{name}\0{_canonical(encoded_call)}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _flat_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    if TAG in kwargs or not set(map(type, args)) <= FLAT or not set(map(type, kwargs.values())) <= FLAT:
        return None
    return dump_flat({"args": args, "kwargs": kwargs})


def _packed_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    packer = new_packer()
    packed_args = [_argument(packer, value, f"argument {number}") for number, value in enumerate(args, start=1)]
    packed_kwargs = {key: _argument(packer, value, f"argument {key!r}") for key, value in kwargs.items()}
    return dump({"args": packed_args, "kwargs": _with_keys(packer, packed_kwargs)})


def _argument(packer: Packer, value: object, name: str) -> Tree:
    with explaining(name, whole=ALL):
        return packer.pack(value)


def _with_keys(packer: Packer, packed: dict[str, Tree]) -> Tree:
    with explaining(ALL):
        keys = [pack_str(packer, key) for key in packed]
    if TAG not in packed and keys == list(packed):
        return packed
    return tagged("dict", [list(pair) for pair in zip(keys, packed.values(), strict=True)])


def _canonical(encoded_call: str) -> str:
    try:
        found = load(encoded_call, _PAIRS_SORTED)
        call = {"args": found} if type(found) is list else found
        return _KEYS_SORTED({"args": [], "kwargs": {}, **call} if type(call) is dict else call)
    except (UnreadablePayload, RecursionError):
        # Such a call will fail when it is decoded; until then it is equal to itself.
        return encoded_call


def _sort_pairs(found: dict[str, Any]) -> dict[str, Any]:
    if found.get(TAG) == "dict" and type(found.get(CONTENT)) is list:
        return {**found, CONTENT: sorted(found[CONTENT], key=_KEYS_SORTED)}
    return found


def _unreadable_call() -> UnreadablePayload:
    return UnreadablePayload(
        reason='it is not the arguments of a call: an array, or {"args": [...], "kwargs": {...}}.',
        advice=WRITTEN_BY_OTHERS,
    )


_AS_IT_IS = json.JSONDecoder()
_PAIRS_SORTED = json.JSONDecoder(object_hook=_sort_pairs)
_KEYS_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
