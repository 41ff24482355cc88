"""Dataclasses, field by field; whatever is not even a dataclass is refused here."""

from __future__ import annotations

import dataclasses
from typing import Any

from durable_django.base.payloads.advice import refusal_of
from durable_django.base.payloads.classes import dotted, loaded_class, storable_path
from durable_django.base.payloads.decoding import as_list, as_object, as_text, unpacks
from durable_django.base.payloads.packing import Packer, Tree, packs_family, tagged
from durable_django.base.payloads.refusals import Refusal
from durable_django.exceptions import UnreadablePayload

_UNSET = object()


@packs_family(object)
def pack_record(packer: Packer, value: Any) -> Tree:
    """Write the fields that are set, by a constructor or not; attributes that are not fields stay behind."""
    kind = type(value)
    if not dataclasses.is_dataclass(kind):
        raise refusal_of(value)
    path = storable_path(kind)
    _require_plain_layout(kind)
    fields = dataclasses.fields(value)
    packer.enter(len(fields))
    packed = {}
    for field in fields:
        found = getattr(value, field.name, _UNSET)
        if found is not _UNSET:
            packed[field.name] = packer.part(value, found, f".{field.name}")
    packer.leave()
    return tagged("dataclass", [path, packed])


@unpacks("dataclass")
def unpack_record(content: object) -> Any:
    """Make the instance without its constructor; a field that is new since then gets its default."""
    path, stored = as_list(content, 2)
    kind = _record_class(as_text(path))
    fields = {field.name: field for field in dataclasses.fields(kind)}
    stored = as_object(stored)
    _require_known(path, stored.keys() - fields.keys())
    instance = object.__new__(kind)
    for name, field in fields.items():
        value = stored[name] if name in stored else _default(path, field)
        if value is not _UNSET:
            # Frozen classes refuse their own __setattr__, others may do anything in it.
            object.__setattr__(instance, name, value)
    return instance


def _require_plain_layout(kind: type) -> None:
    try:
        object.__new__(kind)
    except TypeError as error:
        builtin = next(base.__name__ for base in kind.__mro__ if base.__module__ == "builtins")
        raise Refusal(
            f"its class {dotted(storable_path(kind))} is a dataclass and a {builtin} in one.",
            f"Keep the {builtin} in a field.",
        ) from error


def _record_class(path: str) -> type[Any]:
    kind = loaded_class(path)
    if kind is None or not dataclasses.is_dataclass(kind):
        raise UnreadablePayload(
            reason=f"{dotted(path):.200} is not a dataclass of a loaded module.",
            advice="Import its module before the value is read, or leave an alias where the class was.",
        )
    return kind


def _require_known(path: str, gone: set[str]) -> None:
    if gone:
        raise UnreadablePayload(
            reason=f"the dataclass {dotted(path)} has no field {min(gone)!r:.100} any more.",
            advice="Keep the field until no stored value has it.",
        )


def _default(path: str, field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if not field.init:
        return _UNSET
    raise UnreadablePayload(
        reason=f"the dataclass {dotted(path)} has a field {field.name!r} that the stored value lacks.",
        advice="Give the new field a default.",
    )
