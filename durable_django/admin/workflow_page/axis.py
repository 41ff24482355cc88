"""Time on a line: from moments to places, with long idle stretches folded to a narrow mark."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: Idle stretches that are folded at most, the longest ones, and the width of each.
_MOST_FOLDS = 6
_FOLD = 46.0
#: A stretch is folded if it is so many times longer than all the time in which something happens.
_LONG = 3.0
_SHORTEST = timedelta(seconds=1)

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Stretch:
    """A part of the line on which time runs evenly."""

    start: datetime
    end: datetime
    left: float
    right: float
    is_folded: bool = False

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Axis:
    """The line, from the first to the last moment."""

    stretches: Sequence[Stretch]

    def place(self, moment: datetime) -> float:
        """Return where a moment stands; one outside stands at the end that it lies behind."""
        number = bisect_right([stretch.start for stretch in self.stretches], moment) - 1
        stretch = self.stretches[max(number, 0)]
        whole = stretch.seconds
        # Clocks of several machines meet in one workflow.
        part = min(max((moment - stretch.start).total_seconds() / whole, 0.0), 1.0) if whole > 0 else 0.0
        return stretch.left + part * (stretch.right - stretch.left)

    def moment(self, place: float) -> datetime | None:
        """Return the moment that stands at a place; None inside of a fold."""
        for stretch in self.stretches:
            if stretch.left <= place <= stretch.right:
                if stretch.is_folded:
                    return None
                width = stretch.right - stretch.left
                part = (place - stretch.left) / width if width else 0.0
                return stretch.start + (stretch.end - stretch.start) * part
        return None

    def holds(self, start: datetime, end: datetime) -> bool:
        """Whether some of a span of time stands on the line."""
        return end >= self.stretches[0].start and start <= self.stretches[-1].end

    @property
    def first_fold(self) -> datetime:
        """When the first stretch begins that is folded; the end without one."""
        folds = self.folds
        return folds[0].start if folds else self.stretches[-1].end

    @property
    def folds(self) -> list[Stretch]:
        """The stretches that are folded."""
        return [stretch for stretch in self.stretches if stretch.is_folded]


def axis_of(whole: Span, busy: Iterable[Span], left: float, right: float, *, is_folding: bool) -> Axis:
    """
    Return the line of a span of time.

    busy        when something happened; what lies between may be folded
    left, right where it begins and ends
    """
    start, end = whole[0], max(whole)
    folded = _folded(start, end, busy) if is_folding else []
    width = right - left - _FOLD * len(folded)
    shown = (end - start) - sum((gap[1] - gap[0] for gap in folded), timedelta())
    stretches, at, place = [], start, left
    for gap in [*folded, (end, end)]:
        part = (gap[0] - at) / shown if shown else 1 / (len(folded) + 1)
        stretches.append(Stretch(at, gap[0], place, place := place + width * part))
        if gap in folded:
            stretches.append(Stretch(*gap, place, place := place + _FOLD, is_folded=True))
        at = gap[1]
    return Axis(tuple(stretches))


def _folded(start: datetime, end: datetime, busy: Iterable[Span]) -> list[Span]:
    """Return the idle stretches that are long, in the order of time."""
    gaps, happening, at = [], timedelta(), start
    for begun, ended in sorted((max(one, start), min(two, end)) for one, two in busy):
        if begun > at:
            gaps.append((at, begun))
        if ended > at:
            happening += ended - max(begun, at)
            at = max(at, ended)
    gaps.append((at, end))
    if not happening:
        return []
    longest = max(happening * _LONG, _SHORTEST)
    chosen = sorted((gap for gap in gaps if gap[1] - gap[0] > longest), key=lambda gap: gap[0] - gap[1])
    return sorted(chosen[:_MOST_FOLDS])
