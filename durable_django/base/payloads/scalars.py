"""Values without parts: None, bool, int, float, str, bytes, Decimal, UUID, Path."""

from __future__ import annotations

import decimal
import math
import pathlib
import re
import uuid
from base64 import b64decode, b64encode

from django.utils.safestring import SafeString

from durable_django.base.payloads.decoding import as_list, as_text, unpacks
from durable_django.base.payloads.packing import Packer, Tree, packs, tagged

#: Larger integers are written as hexadecimal text: no digit limit of Python (at least 640 digits) ever meets them.
PLAIN_INT_BITS = 2048

#: Two surrogates that were separate characters would be read back as one.
SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HIGH_BEFORE_LOW = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")
_HEXADECIMAL = re.compile(r"-?0x[0-9a-f]+")

# Unpacking fails instead of answering NaN, whatever the context of the thread says.
_STRICT = decimal.Context(traps=[decimal.InvalidOperation])
_PATHS = {
    kind.__name__: kind
    for kind in (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath)
}


@packs(type(None), bool)
def pack_constant(_packer: Packer, value: bool | None) -> Tree:  # noqa: FBT001 - it is the value itself
    """Write the same constant."""
    return value


@packs(int)
def pack_int(packer: Packer, value: int) -> Tree:
    """Write small integers as they are, huge ones as hexadecimal text."""
    bits = value.bit_length()
    if bits <= PLAIN_INT_BITS:
        return value
    packer.spend(bits // 4)
    return tagged("int", hex(value))


@unpacks("int")
def unpack_int(content: object) -> int:
    """Read hexadecimal text."""
    text = as_text(content)
    if not _HEXADECIMAL.fullmatch(text):
        raise ValueError("hexadecimal digits were expected")
    return int(text, 16)


@packs(float)
def pack_float(_packer: Packer, value: float) -> Tree:
    """Write what is finite as it is, since Python's text of a float reads back exactly."""
    if math.isfinite(value):
        return value
    return tagged("float", f"{'-' if math.copysign(1, value) < 0 else ''}{abs(value)!r}")


@unpacks("float")
def unpack_float(content: object) -> float:
    """Read nan, inf and their negatives."""
    return float(as_text(content))


@packs(str)
def pack_str(packer: Packer, value: str) -> Tree:
    """Write the text; JSON keeps NUL and lone surrogates, but would join two that stand together."""
    packer.spend(len(value))
    if value.isascii() or not SPLIT_PAIR.search(value):
        return value
    return tagged("str", _HIGH_BEFORE_LOW.split(value))


@unpacks("str")
def unpack_str(content: object) -> str:
    """Join the pieces."""
    return "".join(as_list(content))


@packs(SafeString)
def pack_safe_string(packer: Packer, value: SafeString) -> Tree:
    """Write the text, and that it is safe."""
    return tagged("safe", pack_str(packer, str.__str__(value)))


@unpacks("safe")
def unpack_safe_string(content: object) -> SafeString:
    """Declare the text safe again."""
    return SafeString(as_text(content))


@packs(bytes)
def pack_bytes(packer: Packer, value: bytes) -> Tree:
    """Write base64."""
    packer.spend(len(value))
    return tagged("bytes", b64encode(value).decode("ascii"))


@unpacks("bytes")
def unpack_bytes(content: object) -> bytes:
    """Read base64."""
    return b64decode(as_text(content), validate=True)


@packs(decimal.Decimal)
def pack_decimal(packer: Packer, value: decimal.Decimal) -> Tree:
    """Write the text of a Decimal, which keeps sign, digits, exponent and the kinds of NaN."""
    text = str(value)
    packer.spend(len(text))
    return tagged("decimal", text)


@unpacks("decimal")
def unpack_decimal(content: object) -> decimal.Decimal:
    """Read the number exactly, whatever precision the thread has."""
    return decimal.Decimal(as_text(content), _STRICT)


@packs(uuid.UUID)
def pack_uuid(_packer: Packer, value: uuid.UUID) -> Tree:
    """Write the usual text with dashes."""
    return tagged("uuid", str(value))


@unpacks("uuid")
def unpack_uuid(content: object) -> uuid.UUID:
    """Read the usual text."""
    return uuid.UUID(as_text(content))


@packs(*_PATHS.values())
def pack_path(packer: Packer, value: pathlib.PurePath) -> Tree:
    """Write the class, since a pure path has no file system, and the text."""
    return tagged("path", [type(value).__name__, pack_str(packer, str(value))])


@unpacks("path")
def unpack_path(content: object) -> pathlib.PurePath:
    """Make the same kind of path; one of another operating system only if it is pure."""
    name, text = as_list(content, 2)
    return _PATHS[as_text(name)](as_text(text))
