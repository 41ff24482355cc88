"""The timeline as a drawing: numbers and classes for an SVG, which the template writes; no style in line, no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import dateformat, timezone
from django.utils.translation import gettext as _

from durable_django.admin.workflow_page.axis import Axis
from durable_django.base.texts import shortened
from durable_django.management.durations import spoken_seconds

#: Units of the drawing: all of it, and where the lines of time begin and end.
WIDTH, LEFT, RIGHT = 1000, 250, 985
_TOP, _ROW, _BAR = 34, 22, 12
_NARROWEST = 3.0
_LONGEST_LABEL = 30
_INDENT = 14
#: Room that a text behind a bar takes, and between both.
_ROOM_FOR_NOTE, _GAP = 90, 6
#: Room that a letter takes in a label, which may be bold, and in a note.
_LETTER, _SMALL_LETTER = 8.0, 6.0
#: Room between the middles of two texts on the scale.
_ROOM_FOR_SCALE = 70


@dataclass(frozen=True)
class Span:
    """A part of a lane: what happened from one moment to another; kind is a class of the style sheet."""

    kind: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Tick:
    """A moment on a lane."""

    kind: str
    at: datetime
    title: str


@dataclass(frozen=True)
class Lane:
    """
    One line of the drawing, in moments.

    title  what is told of it where the mouse stands
    state  a status, or a state of a step: the colour
    note   a short text behind the last span
    url    where a click leads
    depth  how far its label is indented
    """

    label: str
    title: str
    state: str
    spans: Sequence[Span] = ()
    ticks: Sequence[Tick] = ()
    note: str = ""
    url: str = ""
    depth: int = 0


@dataclass(frozen=True)
class Bar:
    """A rectangle, in numbers as text, which no locale can give thousands separators."""

    kind: str
    x: str
    width: str


@dataclass(frozen=True)
class Mark:
    """A text or a point at a place."""

    x: str
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A lane where it stands in the drawing."""

    lane: Lane
    label: str
    label_x: str
    text_y: str
    bar_y: str
    middle: str
    top: str
    bars: Sequence[Bar]
    ticks: Sequence[Mark]
    note: Mark | None


@dataclass(frozen=True)
class Drawing:
    """
    The whole timeline.

    grid  places with the time since the beginning
    folds bands of time in which nothing happened, each with how long it took
    now   where the present stands; None for what has ended
    """

    height: str
    rows: Sequence[Row]
    grid: Sequence[Mark]
    folds: Sequence[tuple[Bar, Mark]]
    now: Mark | None
    width: str = str(WIDTH)
    left: str = str(LEFT)
    right: str = str(RIGHT)
    row_height: str = str(_ROW)
    bar_height: str = str(_BAR)
    body_height: str = field(default="0")
    top: str = str(_TOP)


def drawing_of(lanes: Sequence[Lane], axis: Axis, origin: datetime, *, is_live: bool) -> Drawing:
    """
    Return the drawing of some lanes, one below the other.

    origin  from when on time is counted on the scale
    """
    height = _TOP + _ROW * len(lanes) + 6
    return Drawing(
        height=str(height),
        rows=[_row(lane, number, axis) for number, lane in enumerate(lanes)],
        grid=list(_grid(axis, origin)),
        folds=[_fold(axis, number) for number, _stretch in enumerate(axis.folds)],
        now=Mark(_number(RIGHT), _("now")) if is_live else None,
        body_height=str(height - _TOP),
    )


def _row(lane: Lane, number: int, axis: Axis) -> Row:
    top = _TOP + _ROW * number
    bars = [_bar(span, axis) for span in lane.spans if axis.holds(span.start, span.end)]
    note = _note(lane, bars)
    label_x = 6 + _INDENT * lane.depth
    return Row(
        lane=lane,
        label=shortened(lane.label, _longest_label(lane, label_x, note)),
        label_x=str(label_x),
        text_y=str(top + 15),
        bar_y=str(top + (_ROW - _BAR) // 2),
        middle=str(top + _ROW // 2),
        top=str(top),
        bars=bars,
        ticks=[
            Mark(_number(axis.place(tick.at)), tick.title, tick.kind)
            for tick in lane.ticks
            if axis.holds(tick.at, tick.at)
        ],
        note=note,
    )


def _longest_label(lane: Lane, label_x: int, note: Mark | None) -> int:
    """Return how many letters of the label there is room for, beside a note that stands in front of the bars."""
    longest = _LONGEST_LABEL - 2 * lane.depth
    if note is None or note.kind != "durable-before":
        return longest
    end = float(note.x) - _SMALL_LETTER * len(note.text) - _GAP
    return max(min(longest, int((end - label_x) / _LETTER)), 1)


def _bar(span: Span, axis: Axis) -> Bar:
    left = min(axis.place(span.start), RIGHT - _NARROWEST)
    width = max(axis.place(span.end) - left, _NARROWEST)
    return Bar(span.kind, _number(left), _number(width))


def _note(lane: Lane, bars: Sequence[Bar]) -> Mark | None:
    """Return the note behind the last bar, or in front of the first one if there is no room."""
    if not lane.note or not bars:
        return None
    end = float(bars[-1].x) + float(bars[-1].width)
    if end + _ROOM_FOR_NOTE < RIGHT:
        return Mark(_number(end + _GAP), lane.note, "durable-behind")
    place = float(bars[0].x) - _GAP
    # The line at which time begins would go through the text.
    is_crossed = place - _SMALL_LETTER * len(lane.note) < LEFT < place + _GAP
    return Mark(_number(LEFT - _GAP if is_crossed else place), lane.note, "durable-before")


def _grid(axis: Axis, origin: datetime) -> Iterator[Mark]:
    """Yield five places with the time since the beginning, but for those whose text would stand in that of a fold."""
    taken = [(fold.left + fold.right) / 2 for fold in axis.folds]
    places = [LEFT + (RIGHT - LEFT) * number / 4 for number in range(5)]
    shown = {
        place: moment
        for place in places
        if (moment := axis.moment(place)) is not None and all(abs(place - other) > _ROOM_FOR_SCALE for other in taken)
    }
    behind = [moment for moment in shown.values() if moment > axis.first_fold]
    # A scale that says the same everywhere says nothing.
    is_fine = len({_clock(moment) for moment in behind}) < len(behind)
    for place, moment in shown.items():
        text = _since(moment, origin) if moment not in behind else _clock(moment, is_fine=is_fine)
        yield Mark(_number(place), text, "durable-last" if place == places[-1] else "")


def _since(moment: datetime, origin: datetime) -> str:
    return "0" if moment == origin else spoken_seconds((moment - origin).total_seconds())


def _clock(moment: datetime, *, is_fine: bool = False) -> str:
    """Return the time of the day: behind a fold of days, the time since the beginning would be the same everywhere."""
    shown = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return dateformat.format(shown, "H:i:s") + (f".{shown.microsecond // 10_000:02}" if is_fine else "")


def _fold(axis: Axis, number: int) -> tuple[Bar, Mark]:
    stretch = axis.folds[number]
    middle = (stretch.left + stretch.right) / 2
    band = Bar("durable-fold", _number(stretch.left), _number(stretch.right - stretch.left))
    return band, Mark(_number(middle), spoken_seconds(stretch.seconds))


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
