"""An error on the page: type and message, then where it happened, the project's own frames in front of libraries'."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.utils.translation import ngettext

from durable_django.base.payloads import ErrorDescription
from durable_django.base.texts import plain, plain_lines, shortened

#: Causes of causes that are shown, and characters of one traceback.
_MOST_CAUSES = 8
_LONGEST = 30_000
_FRAME = re.compile(r'^  File "(?P<path>[^"\n]*)", line \d+')
#: Where nobody looks first: what is installed, what comes with Python, the frames of this package.
_FOREIGN = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages)[/\\]|[/\\][Ll]ib(?:64)?[/\\]python\d|[/\\]Lib[/\\]|^<|"
    r"(?:^|[/\\])durable_django[/\\](?:api|base|engine|models|tasks|worker)[/\\]"
)


@dataclass(frozen=True)
class Frames:
    """
    Frames that follow each other.

    title  of libraries, what they are folded under; empty for those of the project, which stand open
    """

    text: str
    title: str = ""


@dataclass(frozen=True)
class Failure:
    """
    One error, and those it came from.

    line    type and message
    frames  in the order of the traceback, the most recent call last
    """

    line: str
    frames: Sequence[Frames] = ()
    notes: Sequence[str] = ()
    causes: Sequence[Failure] = ()


def failure_of(found: ErrorDescription, line: str) -> Failure:
    """Return an error as the page shows it, its causes behind it."""
    causes = [_alone(cause, f"{cause.type}: {cause.message}") for cause in _causes(found)]
    return Failure(line, tuple(frames_of(found.traceback)), tuple(map(plain_lines, found.notes)), tuple(causes))


def frames_of(traceback: str) -> Iterator[Frames]:
    """Yield the parts of a traceback: runs of frames of the project, and between them those of libraries."""
    for is_foreign, run in groupby(_pieces(shortened(traceback, _LONGEST)), key=_is_foreign):
        frames = list(run)
        text = plain_lines("\n".join(frames))
        if not is_foreign:
            yield Frames(text)
            continue
        title = ngettext("%(count)d frame of libraries", "%(count)d frames of libraries", len(frames))
        yield Frames(text, title % {"count": len(frames)})


def _alone(found: ErrorDescription, line: str) -> Failure:
    return Failure(
        shortened(plain(line), 2000), tuple(frames_of(found.traceback)), tuple(map(plain_lines, found.notes))
    )


def _causes(found: ErrorDescription) -> Iterator[ErrorDescription]:
    cause = found.cause
    for _number in range(_MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.cause


def _pieces(traceback: str) -> Iterator[str]:
    """Yield the frames, each with its line of code, and what stands between them."""
    piece: list[str] = []
    for line in traceback.rstrip().splitlines():
        is_inside = bool(piece) and _FRAME.match(piece[0]) is not None and line.startswith("    ")
        if piece and not is_inside:
            yield "\n".join(piece)
            piece = []
        piece.append(line)
    if piece:
        yield "\n".join(piece)


def _is_foreign(piece: str) -> bool:
    frame = _FRAME.match(piece)
    return frame is not None and _FOREIGN.search(frame["path"]) is not None
