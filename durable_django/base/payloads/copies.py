"""A value together with its stored text; the hot path of every step."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import TypeVar, cast

from durable_django.base.payloads.decoding import decode
from durable_django.base.payloads.encoding import check_size, encode
from durable_django.base.payloads.writing import FLAT, flat_text

T = TypeVar("T")

#: Types whose values cannot change, so that the value itself serves as its decoded copy.
_IMMUTABLE = frozenset(
    {
        *FLAT,
        bytes,
        decimal.Decimal,
        uuid.UUID,
        dt.datetime,
        dt.date,
        dt.time,
        dt.timedelta,
    }
)


def round_trip(value: T, path: str = "value") -> tuple[str, T]:
    """
    Return the text to store, and the value as it will be read back.

    The first run must see what a replay will see. Raises as encode() does.
    """
    text = flat_text(value)
    if text is None:
        text = encode(value, path)
        return text, value if type(value) in _IMMUTABLE else decode(text)
    check_size(text, path)
    # A copy one level deep is enough: whatever flat_text() writes has no further levels.
    return text, cast("T", value.copy()) if isinstance(value, (list, dict)) else value
