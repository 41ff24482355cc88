"""What users give to starts and to verbs of rows alike, checked at the call: attributes, priorities, moments."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from django.utils import timezone

from durable_django.base import clock
from durable_django.conf import durable_settings
from durable_django.exceptions import NotSerializable, PayloadTooLarge

_HIGHEST_PRIORITY = 100
#: A year less than Python knows, since a zone may put a moment into the next one.
_FIRST_YEAR, _LAST_YEAR = 2, 9998
#: An escaped NUL in JSON text, not a backslash that happens to stand before the same letters.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def validate_attributes(value: Any) -> dict[str, Any]:
    """Return the attributes if they are a JSON object that both databases take. Raises NotSerializable."""
    advice = "Pass a dict of JSON values; what the workflow works with belongs into its arguments."
    if not isinstance(value, dict):
        raise NotSerializable(path="attributes", reason=f"{type(value).__name__} is not a dict.", advice=advice)
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotSerializable(path="attributes", reason=f"{error}.", advice=advice) from error
    if _NUL.search(text) or not _is_unicode(value):
        raise NotSerializable(path="attributes", reason="a text carries NUL or a lone surrogate.", advice=advice)
    limit = durable_settings.MAX_PAYLOAD_BYTES
    if len(text) > limit:
        raise PayloadTooLarge(path="attributes", size=f"{len(text)} bytes", limit="MAX_PAYLOAD_BYTES", allowed=limit)
    return dict(json.loads(text))


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def priority_of(value: Any) -> int:
    """Return the priority. Raises ValueError unless it is a whole number from -100 to 100."""
    if type(value) is not int or not -_HIGHEST_PRIORITY <= value <= _HIGHEST_PRIORITY:
        message = f"priority must be a whole number from -100 to 100, larger first, got {value!r}."
        raise ValueError(message)
    return value


def moment_of(value: Any, argument: str) -> datetime:
    """
    Return an aware moment; a naive one is taken in the default time zone, but only where USE_TZ is off.

    Raises TypeError for anything but a datetime, ValueError, naming the argument, for a naive one under USE_TZ, and
    for one so early or late that it does not exist in every time zone.
    """
    if not isinstance(value, datetime):
        message = f"{argument} must be a datetime, got {value!r}."
        raise TypeError(message)
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        message = f"{argument} must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}, got {value!r}."
        raise ValueError(message)
    if timezone.is_aware(value):
        return value
    if clock.uses_time_zones():
        message = f"{argument} must be an aware datetime since USE_TZ is on, got {value!r}. Use django.utils.timezone."
        raise ValueError(message)
    return timezone.make_aware(value, timezone.get_default_timezone())
