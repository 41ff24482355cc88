"""Stored values as people read them: as Python would write them, or why they cannot be read. Never raises."""

from __future__ import annotations

from durable_django.base.payloads.calls import decode_call
from durable_django.base.payloads.decoding import decode
from durable_django.base.payloads.error_reading import describe_error
from durable_django.base.texts import shortened


def describe_call(stored: str, longest: int = 2000) -> str:
    """Return stored arguments as they were written in the call: (7, express=True)."""
    try:
        args, kwargs = decode_call(stored)
        parts = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
    except Exception as error:  # noqa: BLE001 - a row that somebody else wrote must not hide the others
        return f"(unreadable: {error})"
    return shortened(f"({', '.join(parts)})", longest)


def describe_value(stored: str | None, longest: int = 2000) -> str | None:
    """Return a stored value as Python writes it, None if there is none."""
    if stored is None:
        return None
    try:
        return shortened(repr(decode(stored)), longest)
    except Exception as error:  # noqa: BLE001 - as above; repr() may be the user's
        return f"(unreadable: {error})"


def describe_error_line(stored: str | None, longest: int = 2000) -> str | None:
    """Return a stored error as type and message, None if there is none."""
    if stored is None:
        return None
    found = describe_error(stored)
    return shortened(f"{found.type}: {found.message}", longest)
