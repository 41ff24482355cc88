"""The options of `manage.py worker`, and their way from the supervisor to its children."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """
    What one worker command was asked for.

    queues             names to claim from, or patterns such as mail-*; empty for all
    exclude_queues     names or patterns of those that are left to others
    threads            workflows at the same time, in each process
    async_concurrency  async workflows at the same time, in each process
    processes          worker processes under the supervisor
    max_workflows      each process ends after so many attempts; 0 for never
    until_idle         end when nothing is left to run now
    reload             begin anew when a source file changes
    grace_seconds      how long after TERM or INT running steps may go on
    name               label of the Worker row
    is_quiet           show no records on the terminal
    """

    queues: tuple[str, ...] = ()
    exclude_queues: tuple[str, ...] = ()
    threads: int = 8
    async_concurrency: int = 100
    processes: int = 1
    max_workflows: int = 0
    until_idle: bool = False
    reload: bool = False
    grace_seconds: float = 30.0
    name: str = ""
    is_quiet: bool = False

    def to_json(self) -> str:
        """Return the options as text for a child's environment."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerOptions:
        """Return the options that to_json() wrote."""
        values = json.loads(text)
        lists = {name: tuple(values[name]) for name in ("queues", "exclude_queues")}
        return cls(**{**values, **lists})

    def serves(self, queue: str) -> bool:
        """Whether it claims from a queue."""
        is_chosen = not self.queues or fits(queue, self.queues)
        return is_chosen and not fits(queue, self.exclude_queues)


def fits(queue: str, patterns: Iterable[str]) -> bool:
    """Whether a name is one of these, or fits one of them that has *, ? or [] in it."""
    return any(fnmatch.fnmatchcase(queue, pattern) for pattern in patterns)
