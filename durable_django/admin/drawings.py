"""Small drawings as whole numbers for an SVG: lines of numbers over time, and gauges; no inline style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

#: Units of a drawing from left to right, and from its top to its bottom.
WIDTH, HEIGHT = 240, 40
#: What has a value is seen, however small.
_LOWEST, _NARROWEST = 2, 6


@dataclass(frozen=True)
class Bars:
    """
    Numbers over time as the outline of bars, one shape for all of them.

    path   of the SVG
    total  of the numbers
    """

    path: str
    total: int


def bars(numbers: Sequence[int], highest: int = 0) -> Bars:
    """Return the drawing of numbers, the oldest first; highest is what reaches the top, that of theirs by default."""
    top = max(highest, *numbers, 1)
    width = WIDTH / max(len(numbers), 1)
    shapes = []
    for place, number in enumerate(numbers):
        if number:
            left, right = round(place * width), round((place + 1) * width) - 1
            upper = HEIGHT - max(round(HEIGHT * number / top), _LOWEST)
            shapes.append(f"M{left} {HEIGHT}V{upper}H{right}V{HEIGHT}Z")
    return Bars("".join(shapes), sum(numbers))


@dataclass(frozen=True)
class Span:
    """A part of a time, in thousandths of it, as text that no locale can change."""

    x: str
    width: str


def span(begun: datetime, ended: datetime, first: datetime, last: datetime) -> Span:
    """Return where a time lies in another one, which it does not leave."""
    whole = max((last - first).total_seconds(), 0.001)
    left, right = (round(1000 * (moment - first).total_seconds() / whole) for moment in (begun, ended))
    left = min(max(left, 0), 1000 - _NARROWEST)
    return Span(str(left), str(min(max(right - left, _NARROWEST), 1000 - left)))


@dataclass(frozen=True)
class Gauge:
    """
    How much of a limit is used.

    width    of the full part, in hundredths of the whole, as text that no locale can change
    is_full  whether nothing is left
    """

    used: int
    limit: int
    width: str
    is_full: bool


def gauge(used: int, limit: int | None) -> Gauge | None:
    """Return the gauge; None without a limit."""
    if limit is None:
        return None
    part = 100 if limit == 0 else min(round(100 * used / limit), 100)
    return Gauge(used, limit, str(max(part, _LOWEST) if used else part), used >= limit)
