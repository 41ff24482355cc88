"""Moments as the pages show them: to the second, in the project's time zone unless another one is meant."""

from __future__ import annotations

from datetime import datetime, tzinfo

from django.utils import dateformat, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString


def moment(value: datetime, zone: tzinfo | None = None) -> str:
    """Return the date and time in a zone, in the project's by default; a naive one is of the project's zone."""
    if timezone.is_naive(value):
        if zone is None:
            return dateformat.format(value, "Y-m-d H:i:s")
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return dateformat.format(timezone.localtime(value, zone), "Y-m-d H:i:s")


def spoken_tick(tick: datetime, zone: tzinfo) -> str:
    """Return a tick in the zone of its schedule, with the name and the offset of that, which may change between two."""
    return dateformat.format(tick.astimezone(zone), "D Y-m-d H:i:s T (O)")


def one_line(text: str) -> SafeString:
    """Return a text that no column breaks, however narrow it is."""
    return format_html('<span class="durable-line">{}</span>', text)
