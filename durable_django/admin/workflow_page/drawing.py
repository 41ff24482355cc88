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
#: Room that a text behind a bar takes.
_ROOM_FOR_NOTE = 90
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
    return Row(
        lane=lane,
        label=shortened(lane.label, _LONGEST_LABEL - 2 * lane.depth),
        label_x=str(6 + _INDENT * lane.depth),
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
        note=_note(lane, bars),
    )


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
        return Mark(_number(end + 5), lane.note, "durable-behind")
    return Mark(_number(max(float(bars[0].x) - 5, LEFT)), lane.note, "durable-before")


def _grid(axis: Axis, origin: datetime) -> Iterator[Mark]:
    """Yield five places with the time since the beginning, but for those whose text would stand in that of a fold."""
    taken = [(fold.left + fold.right) / 2 for fold in axis.folds]
    for number in range(5):
        place = LEFT + (RIGHT - LEFT) * number / 4
        moment = axis.moment(place)
        if moment is not None and all(abs(place - other) > _ROOM_FOR_SCALE for other in taken):
            text = _since(moment, origin) if moment <= axis.first_fold else _clock(moment)
            yield Mark(_number(place), text, "durable-last" if number == 4 else "")  # noqa: PLR2004 - the fifth


def _since(moment: datetime, origin: datetime) -> str:
    return "0" if moment == origin else spoken_seconds((moment - origin).total_seconds())


def _clock(moment: datetime) -> str:
    """Return the time of the day: behind a fold of days, the time since the beginning would be the same everywhere."""
    return dateformat.format(timezone.localtime(moment) if timezone.is_aware(moment) else moment, "H:i:s")


def _fold(axis: Axis, number: int) -> tuple[Bar, Mark]:
    stretch = axis.folds[number]
    middle = (stretch.left + stretch.right) / 2
    band = Bar("durable-fold", _number(stretch.left), _number(stretch.right - stretch.left))
    return band, Mark(_number(middle), spoken_seconds(stretch.seconds))


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
