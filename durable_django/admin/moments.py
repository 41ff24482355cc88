"""Moments as the pages show them: to the second, in the project's time zone."""

from __future__ import annotations

from datetime import datetime

from django.utils import dateformat, timezone


def moment(value: datetime) -> str:
    """Return the local date and time."""
    return dateformat.format(timezone.localtime(value) if timezone.is_aware(value) else value, "Y-m-d H:i:s")
