"""Built-in containers: list, tuple, dict, set, frozenset."""

from __future__ import annotations

from typing import Any

from durable_django.base.payloads.decoding import as_list, unpacks
from durable_django.base.payloads.packing import PACKERS, Packer, Tree, packs, tagged
from durable_django.base.payloads.refusals import Refusal, key_part
from durable_django.base.payloads.scalars import SPLIT_PAIR
from durable_django.base.payloads.writing import TAG, dump

_ONLY_STR = {str}


@packs(list)
def pack_list(packer: Packer, value: list[Any]) -> Tree:
    """Make an array."""
    packer.enter(len(value))
    packed = packer.items(value)
    packer.leave()
    return packed


@packs(tuple)
def pack_tuple(packer: Packer, value: tuple[Any, ...]) -> Tree:
    """Make a tagged array."""
    packer.enter(len(value))
    packed = packer.items(value)
    packer.leave()
    return tagged("tuple", packed)


@unpacks("tuple")
def unpack_tuple(content: object) -> tuple[Any, ...]:
    """Read an array."""
    return tuple(as_list(content))


@packs(dict)
def pack_dict(packer: Packer, value: dict[Any, Any]) -> Tree:
    """Make an object if JSON can hold the keys, else an array of pairs; the order of the keys stays."""
    packer.enter(len(value))
    packed = _pack_fields(packer, value) if _fits_object(packer, value) else _pack_pairs(packer, value)
    packer.leave()
    return packed


@unpacks("dict")
def unpack_dict(content: object) -> dict[Any, Any]:
    """Read an array of pairs."""
    pairs = [as_list(pair, 2) for pair in as_list(content)]
    return {key: value for key, value in pairs}  # noqa: C416 - dict(pairs) would be the same, unseen by mypy


@packs(set, frozenset)
def pack_set(packer: Packer, value: set[Any] | frozenset[Any]) -> Tree:
    """Make a tagged array, sorted by its text: equal sets make equal texts in every process."""
    packer.enter(len(value))
    packed = [packer.part(value, item, _element_part(item)) for item in value]
    packer.leave()
    return tagged(type(value).__name__, sorted(packed, key=dump))


@unpacks("set")
def unpack_set(content: object) -> set[Any]:
    """Read an array."""
    return set(as_list(content))


@unpacks("frozenset")
def unpack_frozenset(content: object) -> frozenset[Any]:
    """Read an array."""
    return frozenset(as_list(content))


def _fits_object(packer: Packer, value: dict[Any, Any]) -> bool:
    if TAG in value or not set(map(type, value)) <= _ONLY_STR:
        return False
    keys = "".join(value)
    packer.spend(len(keys))
    return keys.isascii() or not SPLIT_PAIR.search(keys)


def _pack_fields(packer: Packer, value: dict[str, Any]) -> Tree:
    packed: dict[str, Tree] = {}
    key = ""
    try:
        for key, item in value.items():
            packed[key] = PACKERS[type(item)](packer, item)
    except Refusal as refusal:
        refusal.inside(value, key_part(key))
        raise
    return packed


def _pack_pairs(packer: Packer, value: dict[Any, Any]) -> Tree:
    pairs = []
    for key, item in value.items():
        pair = [packer.part(value, key, " (a key)"), packer.part(value, item, key_part(key))]
        pairs.append(pair)  # a comprehension would be one more frame on the stack for every level
    return tagged("dict", pairs)


def _element_part(item: object) -> str:
    return f" (an element, {type(item).__name__})"
