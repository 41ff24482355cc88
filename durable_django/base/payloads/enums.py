"""Enum members, Django's choices among them: by class and name, so that the member that comes back is the same."""

from __future__ import annotations

import enum

from durable_django.base.payloads.classes import dotted, loaded_class, storable_path
from durable_django.base.payloads.decoding import as_list, as_text, unpacks
from durable_django.base.payloads.packing import Packer, Tree, packs_family, tagged
from durable_django.exceptions import UnreadablePayload


@packs_family(enum.Enum)
def pack_enum(packer: Packer, value: enum.Enum) -> Tree:
    """Write the name of a member, or the number of a combination of flags, which may have no name."""
    kind = type(value)
    path = storable_path(kind)
    name = value._name_
    if type(name) is str and kind.__members__.get(name) is value:
        return tagged("enum", [path, packer.pack(name)])
    return tagged("flags", [path, packer.pack(value._value_)])


@unpacks("enum")
def unpack_enum(content: object) -> enum.Enum:
    """Look the member up; the class is not called."""
    path, name = as_list(content, 2)
    member = _enum_class(path).__members__.get(as_text(name))
    if member is None:
        raise UnreadablePayload(
            reason=f"the enum {dotted(path)} has no member {name!r:.100}.",
            advice="Restore the member; an alias of the new one will do.",
        )
    return member


@unpacks("flags")
def unpack_flags(content: object) -> enum.Flag:
    """Combine flags of a loaded class."""
    path, number = as_list(content, 2)
    kind = _enum_class(path)
    if type(number) is not int or not issubclass(kind, enum.Flag):
        raise ValueError("a number and a class of flags were expected")
    return kind(number)


def _enum_class(path: object) -> type[enum.Enum]:
    kind = loaded_class(as_text(path))
    if kind is None or not issubclass(kind, enum.Enum):
        raise UnreadablePayload(
            reason=f"{dotted(as_text(path)):.200} is not an enum of a loaded module.",
            advice="Import its module before the value is read, or leave an alias where the class was.",
        )
    return kind
