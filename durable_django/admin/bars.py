"""Where the bar of a step stands on the time of its workflow: whole numbers for an SVG, no inline style."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

#: Units of the drawing from the beginning of the workflow to its end.
WIDTH = 1000
#: Units that a bar takes at least, to be seen.
_NARROWEST = 6


@dataclass(frozen=True)
class Bar:
    """Place and length as text, which no locale can give thousands separators."""

    x: str
    width: str


@dataclass(frozen=True)
class Scale:
    """The time from the first to the last moment that is shown."""

    start: datetime
    end: datetime

    def bar(self, begun: datetime | None, ended: datetime | None) -> Bar | None:
        """Return the bar between two moments, up to the end of the scale if it goes on; None if it has not begun."""
        if begun is None:
            return None
        left = min(self._place(begun), WIDTH - _NARROWEST)
        right = WIDTH if ended is None else self._place(ended)
        return Bar(str(left), str(max(right - left, _NARROWEST)))

    def _place(self, moment: datetime) -> int:
        whole = (self.end - self.start).total_seconds()
        part = (moment - self.start).total_seconds()
        # Clocks may have gone back in between.
        return round(min(max(part / whole, 0.0), 1.0) * WIDTH) if whole > 0 else 0
