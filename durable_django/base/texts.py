"""Texts for people: values that cannot control a terminal or forge a log record, durations as people say them."""

from __future__ import annotations

import re

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_NO_BREAK = ("\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}")
_NO_BREAK_SPACE = re.compile(f"([{''.join(_NO_BREAK)}])")


def plain(value: object) -> str:
    """Return a text in which line breaks and other control characters are escaped."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def plain_lines(text: str) -> str:
    """Return a text of several lines in which all other control characters are escaped."""
    return "\n".join(plain(line.expandtabs()) for line in text.split("\n"))


def plain_sentence(value: object) -> str:
    """Return plain(value), but for the spaces that do not break: other languages set them in front of signs."""
    return "".join(piece if piece in _NO_BREAK else plain(piece) for piece in _NO_BREAK_SPACE.split(str(value)))


def shortened(text: str, longest: int) -> str:
    """Return the text, its end replaced by … if it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def number_of(number: int, one: str, several: str) -> str:
    """Return a number of things in the language of commands, which is that of the code: 1 workflow, 2 workflows."""
    return f"{number} {one if number == 1 else several}"


def spoken_seconds(seconds: float | None) -> str:
    """Return a duration as people say it: 4 ms, 0.42 s, 3 min 5 s, 2 h 10 min, 7 d 3 h; - for None."""
    return "-" if seconds is None else " ".join(f"{number} {unit}" for number, unit in parts_of_duration(seconds))


def parts_of_duration(seconds: float) -> list[tuple[str, str]]:
    """Return numbers, with a point if they are no whole ones, each with its unit: ms, s, min, h or d."""
    # Clocks of several machines meet in one row.
    seconds = max(0.0, seconds)
    if seconds < 0.1:  # noqa: PLR2004 - below it, hundredths of a second say too little
        return [(f"{seconds * 1000:.0f}", "ms")]
    if seconds < _MINUTE:
        return [(f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}", "s")]  # noqa: PLR2004 - three digits
    if seconds < _HOUR:
        return [(f"{int(seconds // _MINUTE)}", "min"), (f"{int(seconds % _MINUTE)}", "s")]
    if seconds < _DAY:
        return [(f"{int(seconds // _HOUR)}", "h"), (f"{int(seconds % _HOUR // _MINUTE)}", "min")]
    return [(f"{int(seconds // _DAY)}", "d"), (f"{int(seconds % _DAY // _HOUR)}", "h")]
