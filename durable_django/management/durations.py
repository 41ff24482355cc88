"""Durations in the language of whoever reads them; logs say them as base/texts.py does."""

from __future__ import annotations

from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

from durable_django.base.texts import parts_of_duration

_UNITS = {
    "ms": _("%(number)s ms"),
    "s": _("%(number)s s"),
    "min": _("%(number)s min"),
    "h": _("%(number)s h"),
    "d": _("%(number)s d"),
}


def spoken_seconds(seconds: float | None) -> str:
    """Return a duration as people say it: 4 ms, 0.42 s, 3 min 5 s, 2 h 10 min, 7 d 3 h; - for None."""
    if seconds is None:
        return "-"
    point = get_format("DECIMAL_SEPARATOR")
    parts = parts_of_duration(seconds)
    return " ".join(str(_UNITS[unit]) % {"number": number.replace(".", point)} for number, unit in parts)
