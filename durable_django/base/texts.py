"""Texts for people: values that cannot control a terminal or forge a log record, durations as people say them."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def plain(value: object) -> str:
    """Return a text in which line breaks and other control characters are escaped."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def plain_lines(text: str) -> str:
    """Return a text of several lines in which all other control characters are escaped."""
    return "\n".join(plain(line.expandtabs()) for line in text.split("\n"))


def shortened(text: str, longest: int) -> str:
    """Return the text, its end replaced by … if it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def spoken_seconds(seconds: float | None) -> str:
    """Return a duration as people say it: 4 ms, 0.42 s, 3 min 5 s, 2 h 10 min, 7 d 3 h; - for None."""
    if seconds is None:
        return "-"
    # Clocks of several machines meet in one row.
    seconds = max(0.0, seconds)
    if seconds < 0.1:  # noqa: PLR2004 - below it, hundredths of a second say too little
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"  # noqa: PLR2004 - three digits
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"
    return f"{int(seconds // _DAY)} d {int(seconds % _DAY // _HOUR)} h"
