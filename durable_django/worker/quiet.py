"""Quiet: a busy process claims nothing for a while, so that it becomes idle for a workflow that must run alone."""

from __future__ import annotations

import random

from durable_django.base import clock

_LONGEST_SECONDS = 10.0
#: So many times as long as a quiet others are claimed before the next one.
_OTHERS_SHARE = 6
#: After so many in vain each is twice as long as the one before.
_PATIENCE = 10


class Quiet:
    """
    The quiet of one process, asked for as long as a suspect waits and the process is busy.

    It is short, since others wait meanwhile and a step may take hours; then they have their turn. Only where steps
    overlap without end do the quiets become longer, or the suspect would wait for ever.
    """

    def __init__(self) -> None:
        self._began_at: float | None = None
        self._next_at = 0.0
        self._in_vain = 0

    @property
    def is_on(self) -> bool:
        """Whether nothing may be claimed now."""
        return self._began_at is not None and clock.elapsed_seconds() - self._began_at < self._longest

    @property
    def _longest(self) -> float:
        return _LONGEST_SECONDS * 2.0 ** max(0, self._in_vain + 1 - _PATIENCE)

    def ask(self) -> None:
        """Begin, unless others have still their turn; give up if it was long enough."""
        if self._began_at is None:
            now = clock.elapsed_seconds()
            self._began_at = now if now >= self._next_at else None
        elif not self.is_on:
            self._stop()
            self._in_vain += 1

    def end(self) -> None:
        """End it: the suspect has been claimed, or none waits any more."""
        self._stop()
        self._in_vain = 0

    def _stop(self) -> None:
        if self._began_at is None:
            return
        now = clock.elapsed_seconds()
        lasted = min(now - self._began_at, self._longest)
        self._began_at = None
        # Not all processes at the same time: one of them may well be idle soon.
        self._next_at = now + _OTHERS_SHARE * lasted * (0.8 + 0.4 * random.random())  # noqa: S311 - spreads load
