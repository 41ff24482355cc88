"""Codecs of the project, for types of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from durable_django.base.payloads.decoding import UNPACKERS
from durable_django.base.payloads.packing import PACKERS, Packer, PackFunction, Tree, tagged
from durable_django.base.payloads.refusals import Refusal
from durable_django.base.payloads.texts import safe_str
from durable_django.exceptions import RegistrationError

T = TypeVar("T")

#: Stands before the tags of projects, so that no later version of this package can collide with them.
NAMESPACE = "custom:"
_TAG = re.compile(r"[A-Za-z0-9_.:\-]{1,100}")


def register_codec(cls: type[T], *, tag: str, encode: Callable[[T], object], decode: Callable[[Any], T]) -> None:
    """
    Let values of exactly this class be stored.

    tag     names the type in stored texts, for ever: letters, digits and _ . : -, e.g. "shop.Money"
    encode  value -> a value that can be stored, e.g. a tuple of its parts
    decode  the inverse; whatever it raises becomes UnreadablePayload

    Register at import, in every process that reads such values (workflows.py is a good place).
    Raises RegistrationError if the class or the tag is taken.
    """
    if not isinstance(cls, type):
        raise RegistrationError(message=f"register_codec() takes a class, not {cls!r}.")
    if not _TAG.fullmatch(tag):
        raise RegistrationError(
            message=(
                f"{tag!r} cannot be the tag of a codec: use up to 100 letters, digits and _ . : - such as 'shop.Money'."
            )
        )
    if cls in PACKERS:
        raise RegistrationError(message=f"{cls.__module__}.{cls.__qualname__} already has a codec.")
    if NAMESPACE + tag in UNPACKERS:
        raise RegistrationError(message=f"The tag {tag!r} is taken by another codec. Choose another one.")
    PACKERS[cls] = _pack_with(NAMESPACE + tag, encode)
    UNPACKERS[NAMESPACE + tag] = decode


def _pack_with(tag: str, encode: Callable[[Any], object]) -> PackFunction:
    def pack(packer: Packer, value: object) -> Tree:
        packer.enter(1)
        packed = packer.part(value, _encoded(tag, encode, value), f" (encoded as {tag})")
        packer.leave()
        return tagged(tag, packed)

    return pack


def _encoded(tag: str, encode: Callable[[Any], object], value: object) -> object:
    try:
        return encode(value)
    # A codec is the project's code and may raise anything; the path of the value is what helps then.
    except Exception as error:
        raise Refusal(
            f"its codec {tag!r} raised {type(error).__name__}: {safe_str(error)[:200]}.", "Mend the codec."
        ) from error
