"""Lines: which workflows a worker knows to be waiting for it, in whose turn it claims, and which limits hold back."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from durable_django.base import clock
from durable_django.models.room import Round
from durable_django.worker.looks import Line

#: A line that limits hold back is asked again once after this: a ring may have been skipped while the claim ran.
_ECHO_SECONDS = 0.015
#: So many claims one behind the other may come by partitions that are all at their limit; then the line is held back.
_MOST_CLAIMS = 10


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
        self._rounds: dict[Line, Round] = {}
        self._claims: Counter[Line] = Counter()

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
        self._rounds.clear()
        self._claims.clear()

    def take(self, line: Line) -> None:
        """Take a line out, to claim from it."""
        self._hot.remove(line)
        self._at_rest.discard(line)

    def keep(self, line: Line) -> None:
        """Put a line behind the others that had enough for its claim."""
        self._held_back.pop(line, None)
        self._end_round(line)
        self._hot.append(line)

    def round_of(self, line: Line) -> Round | None:
        """Return the round through the partitions of its queue with which its next claim goes on."""
        return self._rounds.get(line)

    def go_on(self, line: Line, round_: Round | None) -> bool:
        """
        Ask a line again in its turn, without a pause, if its claim has not come round all partitions of its queue.

        Whether it is: after many claims in a row it is not, and the round goes on when the line is asked again.
        """
        if round_ is None:
            self._end_round(line)
            return False
        self._rounds[line] = round_
        self._claims[line] += 1
        if self._claims[line] >= _MOST_CLAIMS:
            del self._claims[line]
            return False
        self._hot.append(line)
        return True

    def _end_round(self, line: Line) -> None:
        self._rounds.pop(line, None)
        self._claims.pop(line, None)

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
            self._end_round(line)
        return bool(lines)
