"""Texts for people: values that cannot control a terminal or forge a log record, durations as people say them."""

from __future__ import annotations


def plain(value: object) -> str:
    """Return a text in which line breaks and other control characters are escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))


def shortened(text: str, longest: int) -> str:
    """Return the text, its end replaced by … if it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def spoken_seconds(seconds: float | None) -> str:
    """Return a duration as people say it: 0.42 s, 3 min 5 s, 2 h 10 min; - for None."""
    if seconds is None:
        return "-"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
