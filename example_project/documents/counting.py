"""Count what is in a text file, whose name says how it is encoded: `loreley.iso-8859-1.txt`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")


class Unreadable(Exception):
    """The file is no text in the encoding of its name. The text is shown to people."""


@dataclass(frozen=True)
class Count:
    """What is in a file."""

    lines: int
    words: int
    characters: int


def count(path: Path) -> Count:
    """Return what is in a text file. Raises Unreadable; OSError if it cannot be opened."""
    text = _decode(path.read_bytes(), encoding_of(path.name))
    return Count(len(text.splitlines()), len(_WORD.findall(text)), len(text))


def encoding_of(name: str) -> str:
    """Return the encoding that a file's name says, UTF-8 if it says none."""
    return "".join(Path(name).suffixes[-2:-1]).removeprefix(".") or "utf-8"


def _decode(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable(f"Byte {error.start} is not {encoding}: {error.reason}.") from error
    except LookupError as error:
        raise Unreadable(f"There is no encoding {encoding}.") from error
