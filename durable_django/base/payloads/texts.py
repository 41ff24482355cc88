"""Text about a value that must not fail, must not ask the database, and must not grow without end."""

from __future__ import annotations

import reprlib
from typing import Any

from django.db.models import Manager, Model, QuerySet
from django.utils.functional import LazyObject, Promise

from durable_django.base.payloads.writing import escape


def safe_str(error: BaseException) -> str:
    """Return str(error), whatever its class does in `__str__`."""
    try:
        return str.__str__(str(error))
    except Exception as trouble:  # noqa: BLE001 - the class is the user's; that it cannot be printed is worth reading
        return f"<{type(error).__name__} whose __str__ raised {type(trouble).__name__}>"


def safe_repr(value: object) -> str:
    """Return a short text for the value; rows and queries are named, not read."""
    try:
        return str.__str__(_SHORT.repr(value))
    except Exception as trouble:  # noqa: BLE001 - as in safe_str()
        return f"<{type(value).__name__} whose __repr__ raised {type(trouble).__name__}>"


def cut(text: str, allowed: int) -> str:
    """Return the text shortened in its middle so that it takes at most about `allowed` bytes when escaped."""
    if len(text) <= allowed and len(escape(text)) <= allowed:
        return text
    keep = min(len(text), allowed)
    while keep > 1 and len(escape(_shortened(text, keep))) > allowed:
        keep = keep * 3 // 4
    return _shortened(text, keep)


def _shortened(text: str, keep: int) -> str:
    head = (keep + 1) // 2
    return f"{text[:head]} [... {len(text) - keep} characters cut ...] {text[len(text) - keep + head :]}"


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 200

    def repr_instance(self, x: Any, level: int) -> str:
        kind = type(x)
        if issubclass(kind, Model):
            return f"<{kind._meta.label} {x.__dict__.get(kind._meta.pk.attname)!r}>"
        if issubclass(kind, (QuerySet, Manager, LazyObject, Promise)):
            return f"<{kind.__name__}>"
        return super().repr_instance(x, level)


_SHORT = _Short()
