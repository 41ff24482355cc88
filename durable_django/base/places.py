"""Places of a history: where a call stands, read from what people write, and which comes before another one."""

from __future__ import annotations

import re
from typing import NamedTuple

_LABEL = re.compile(r"[1-9]\d{0,8}(?:\.[1-9]\d{0,8}\.[1-9]\d{0,8})*")


class At(NamedTuple):
    """
    A place as numbers: positions and branches by turns.

    (7,) is position 7 of the main line; (3, 2, 1) the first position in the second branch of the gather() at 3.
    """

    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers))

    def follows(self, branch: str, position: int) -> bool:
        """
        Whether it comes behind a place, so that a workflow that begins here shares what is recorded there.

        Neighbouring branches of one gather() come neither before nor behind each other: they are shared whole.
        """
        other = at(branch, position).numbers
        for level in range(0, min(len(self.numbers), len(other)), 2):
            if self.numbers[level] != other[level]:
                return self.numbers[level] > other[level]
            if self.numbers[level + 1 : level + 2] != other[level + 1 : level + 2]:
                return level + 2 < len(self.numbers) and level + 2 < len(other)
        return False


def at(branch: str, position: int) -> At:
    """Return a place as numbers."""
    return At((*map(int, branch.split(".") if branch else ()), position))


def read(text: str) -> At | None:
    """Return the place that a text such as '7' or '3.2.1' names; None for any other text."""
    return At(tuple(map(int, text.split(".")))) if _LABEL.fullmatch(text) else None
