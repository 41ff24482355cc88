"""Room: what the limits of a queue leave for one claim, and for each partition."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from durable_django.base.limits import Limits


class Round(NamedTuple):
    """
    By how many partitions several claims have come, if there are too many for one.

    began       key of the partition behind which the first one began
    has_turned  the last key was passed, and the first ones are served again
    """

    began: str
    has_turned: bool


class Room:
    """
    Counted down as workflows are chosen.

    slots        how many may still be claimed
    starts       how many of these may be first claims
    was_limited  the limits, and not what was wanted, decide how many
    round        of partitions that this claim goes on with; afterwards the one to go on with, None if it has come round
    """

    def __init__(self, limits: Limits, wanted: int, round: Round | None = None) -> None:  # noqa: A002 - glossary
        self._limits = limits
        self._wanted = wanted
        self._global = _bound(limits.concurrency)
        self._mine = _bound(limits.worker_concurrency)
        self.starts = _bound(limits.rate_limit)
        self.taken = 0
        self._held: Counter[str] = Counter()
        self._started: Counter[str] = Counter()
        self._has_refused = False
        self.round = round

    def occupy(self, partition: str, count: int, *, is_mine: bool) -> None:
        """Note workflows that hold a slot."""
        self._global = max(0, self._global - count)
        self._mine = max(0, self._mine - count * is_mine)
        self._held[partition] += count

    def note_starts(self, count: int) -> None:
        """Note first claims in the window of the queue's rate."""
        self.starts = max(0, self.starts - count)

    def note_partition_starts(self, counts: Mapping[str, int]) -> None:
        """Note first claims in the window of the partitions' rate."""
        self._started.update(counts)

    @property
    def has_rates(self) -> bool:
        """Whether first claims are counted."""
        return self._limits.has_rates

    @property
    def slots(self) -> int:
        return min(self._wanted, self._global, self._mine) - self.taken

    @property
    def was_limited(self) -> bool:
        """Whether the limits left less room than was wanted, or a partition had none."""
        return self._has_refused or min(self._global, self._mine, self.starts) < self._wanted

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing was taken and nothing holds a slot: not an end, only time or an operator makes room."""
        return self.was_limited and self.round is None and not self._held.total()

    def in_partition(self, partition: str, *, is_start: bool) -> int:
        """Return how many workflows of a partition may be taken."""
        left = [self.slots, _bound(self._limits.partition_concurrency) - self._held[partition]]
        if is_start:
            left += [self.starts, _bound(self._limits.partition_rate_limit) - self._started[partition]]
        self._has_refused = self._has_refused or min(left[1:]) <= 0
        return max(0, min(left))

    def take(self, partition: str, *, is_start: bool) -> bool:
        """Take a place for a workflow of a partition; whether there was one."""
        if not self.in_partition(partition, is_start=is_start):
            return False
        self.taken += 1
        self._held[partition] += 1
        if is_start:
            self.starts -= 1
            self._started[partition] += 1
        return True


def _bound(limit: int | None) -> int:
    return sys.maxsize if limit is None else limit
