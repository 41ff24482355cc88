"""Workflow ids, chosen or generated, and the numbers by which rows stand in line."""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
import uuid
from itertools import count

from durable_django.base import clock
from durable_django.conf import durable_settings

#: As many characters has the column of an id.
LONGEST_ID = 255
_lock = threading.Lock()
_last_line = 0
_sequence = count()


def new_id() -> str:
    """
    Return a time-ordered random UUID (version 7, RFC 9562): new rows land at the end of the index.

    A counter fills the 12 bits after the milliseconds, so that ids of one process are ordered within a millisecond too.
    """
    milliseconds = clock.wall_microseconds() // 1000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76
    value |= (next(_sequence) & 0xFFF) << 64
    value |= 0x2 << 62
    value |= int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return str(uuid.UUID(int=value))


def next_line() -> int:
    """
    Return the next place in line: microseconds, but strictly increasing in this process.

    Text ids and millisecond clocks give no order within a millisecond; first in, first out needs one.
    """
    global _last_line  # noqa: PLW0603 - one sequence a process, guarded by the lock
    with _lock:
        _last_line = max(clock.wall_microseconds(), _last_line + 1)
        return _last_line


def shortened(key: str) -> str:
    """Return a key that makes an id: itself, or its digest if it is longer than 255 characters or not ASCII."""
    if len(key) <= LONGEST_ID and key.isascii():
        return key
    return hashlib.blake2b(key.encode(), digest_size=32).hexdigest()


def validate_id(value: object) -> str:
    """
    Return the workflow id if it can be one.

    Raises TypeError for another type than str, ValueError if it is blank, longer than MAX_ID_LENGTH characters, or
    carries a control character, a surrogate or blanks at its ends (which databases and URLs treat unlike each other).
    """
    if type(value) is not str:
        message = f"A workflow id must be a str, got {type(value).__name__}: {value!r}. Pass id=str(...)."
        raise TypeError(message)
    fault = _fault(value)
    if fault:
        message = f"The workflow id {value[:80]!r} {fault}. Choose a plain id such as 'order-1234'."
        raise ValueError(message)
    return value


def _fault(value: str) -> str:
    if value.isascii() and value.isprintable() and value and value[0] != " " != value[-1]:
        return _too_long(value)
    if not value.strip():
        return "is blank"
    if value != value.strip():
        return "begins or ends with a blank"
    for character in value:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            return f"carries the control character or surrogate {character!r}"
    return _too_long(value)


def _too_long(value: str) -> str:
    limit = min(durable_settings.MAX_ID_LENGTH, LONGEST_ID)
    if len(value) > limit:
        return f"has {len(value)} characters where DURABLE_DJANGO['MAX_ID_LENGTH'] allows {limit}"
    return ""
