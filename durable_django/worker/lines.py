"""Lines: which workflows a worker knows to be waiting for it, in whose turn it claims, and which limits hold back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from durable_django.base import clock
from durable_django.worker.looks import Line

#: A line that limits hold back is asked again once after this: a ring may have been skipped while the claim ran.
_ECHO_SECONDS = 0.015


class Lines:
    """
    The lines that are known to have work, in turn, and apart from them those whose queue is at its limit.

    All of it is a guess that the next look corrects. What is held back is asked again after some time, when a workflow
    of its queue has ended here, and when somebody has rung.
    """

    def __init__(self) -> None:
        self._hot: deque[Line] = deque()
        self._held_back: dict[Line, float] = {}
        self._at_rest: set[Line] = set()

    def __bool__(self) -> bool:
        return bool(self._hot)

    def __iter__(self) -> Iterator[Line]:
        return iter(list(self._hot))

    def note(self, found: Iterable[Line]) -> None:
        """Take up lines that a look has found, behind those that are known."""
        now = clock.elapsed_seconds()
        for line in found:
            if line not in self._hot and self._held_back.get(line, now) <= now:
                self._hot.append(line)

    def forget(self) -> None:
        """Know nothing any more."""
        self._hot.clear()
        self._held_back.clear()
        self._at_rest.clear()

    def take(self, line: Line) -> None:
        """Take a line out, to claim from it."""
        self._hot.remove(line)
        self._at_rest.discard(line)

    def keep(self, line: Line) -> None:
        """Put a line behind the others that had enough for its claim."""
        self._held_back.pop(line, None)
        self._hot.append(line)

    def share(self, line: Line, free: int) -> int:
        """Return how many of the free slots a line may take now, so that each of its kind gets its part."""
        rivals = sum(1 for each in self._hot if each.is_async == line.is_async)
        return -(-free // max(1, rivals))

    def are_at_rest(self, lines: Iterable[Line]) -> bool:
        """Whether limits hold all of them back although nothing of their queues runs: nothing can be done now."""
        return self._at_rest.issuperset(lines)

    def hold_back(self, line: Line, seconds: float, *, is_at_rest: bool = False) -> float:
        """
        Ask a line whose queue is at its limit no more for a while. Return the seconds until it may be asked.

        is_at_rest  nothing of its queue runs
        """
        if is_at_rest:
            self._at_rest.add(line)
        if line not in self._held_back:
            seconds = min(seconds, _ECHO_SECONDS)
        self._held_back[line] = clock.elapsed_seconds() + seconds
        return seconds

    def let_in(self, queue: str | None = None) -> bool:
        """Hold back nothing of a queue any more, None: of any, since something has changed. Whether something was."""
        lines = [line for line in self._held_back if queue in (None, line.queue)]
        for line in lines:
            del self._held_back[line]
            self._at_rest.discard(line)
        return bool(lines)
