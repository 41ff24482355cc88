"""Questions at the terminal before many rows are changed, and how far long work has come."""

from __future__ import annotations

import sys

from django.core.management.base import BaseCommand, CommandError

_BAR_WIDTH = 30


def require_yes(command: BaseCommand, found: str, verb: str) -> None:
    """
    Ask whether to go on with what was found. Raises CommandError unless the answer is yes, or if nobody is there.

    found  what it is about, as "12 workflows fit (9 queued, 3 waiting)"
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise CommandError(f"{found}. Nobody is there to ask: add --yes to {verb} them.")
    # Not by input(prompt), which writes to stdout, where a program may read the answer.
    command.stderr.write(f"{found}. {verb.capitalize()}? [y/N] ", ending="")
    command.stderr.flush()
    if not _is_yes():
        raise CommandError("Nothing was changed.")


def _is_yes() -> bool:
    try:
        return input().strip().lower() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False


class Progress:
    """A bar that is drawn over itself beside the answer; nothing where no terminal shows it."""

    def __init__(self, command: BaseCommand, total: int) -> None:
        self.stderr = command.stderr
        self.total = max(total, 1)
        self.done = 0
        self.is_shown = command.stderr.isatty()

    def add(self, count: int) -> None:
        """Draw how much is done by now."""
        self.done += count
        if self.is_shown:
            full = min(self.done, self.total) * _BAR_WIDTH // self.total
            bar = "#" * full + "." * (_BAR_WIDTH - full)
            self.stderr.write(f"\r[{bar}] {self.done} of {self.total}", str, ending="")
            self.stderr.flush()

    def end(self) -> None:
        """Leave the line of the bar."""
        if self.is_shown and self.done:
            self.stderr.write("")
