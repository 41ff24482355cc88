"""Moments, waits and names as the sentences say them."""

from __future__ import annotations

from datetime import datetime

from django.utils import dateformat, timezone
from django.utils.translation import gettext as _

from durable_django.base.texts import plain, shortened
from durable_django.management.durations import spoken_seconds

_LONGEST_NAME = 120


def quoted(name: object) -> str:
    """Return a name in quotes, short enough for a sentence."""
    return f"'{shortened(plain(name), _LONGEST_NAME)}'"


def spoken_moment(moment: datetime) -> str:
    """Return a moment with its day of the week, in the project's time zone."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return dateformat.format(local, "D Y-m-d H:i:s")


def left(moment: datetime, now: datetime) -> str:
    """Return how long it is until a moment."""
    return spoken_seconds((moment - now).total_seconds())


def until(sentence: str, moment: datetime | None, now: datetime) -> str:
    """Return a sentence about something that ends at a moment, if it does."""
    if moment is None:
        return sentence
    if moment <= now:
        return _("%(what)s, until %(moment)s: that time is over, a worker takes it up") % {
            "what": sentence,
            "moment": spoken_moment(moment),
        }
    return _("%(what)s, until %(moment)s (in %(left)s)") % {
        "what": sentence,
        "moment": spoken_moment(moment),
        "left": left(moment, now),
    }
