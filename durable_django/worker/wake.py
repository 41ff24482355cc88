"""What the main thread of a worker process waits at between two turns: set by other threads and by signal handlers."""

from __future__ import annotations

import queue
from contextlib import suppress


class Wake:
    """
    An event for one thread that waits, which may be set at any moment, also by a signal handler of that thread.

    A threading.Event takes a lock to be set: a handler that runs while its own thread has just taken it, to clear the
    event, would wait for ever. The put() of a SimpleQueue interrupts whatever it likes.
    """

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Let whoever waits go on, or not begin to wait."""
        self._rings.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until it is set, at most so long."""
        with suppress(queue.Empty):
            self._rings.get(timeout=seconds)

    def clear(self) -> None:
        """Let the next wait() wait."""
        for _number in range(self._rings.qsize()):
            self.wait(0)
