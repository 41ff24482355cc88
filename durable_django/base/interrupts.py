"""
Control flow that user code must not catch: why a run has to let go of its thread.

They derive from BaseException, so that `except Exception` in a workflow cannot swallow them. They are raised by
durable operations and caught in engine/attempts.py; only that one of several branches waits is seen to before, in
engine/gathering.py and engine/boards.py.
"""

from __future__ import annotations

from typing import Any


class Interrupt(BaseException):
    """Base class: the running attempt ends here, and the row says how it goes on."""


class Suspended(Interrupt):
    """The row waits (its run_after and waiting_for say for what); the thread is free."""


class Parked(Interrupt):
    """One branch waits, while others of the same run may go on; `waits` say for what."""

    def __init__(self, waits: tuple[Any, ...]) -> None:
        super().__init__()
        self.waits = waits


class Released(Interrupt):
    """The worker is shutting down: the workflow goes back to its queue and continues elsewhere."""


class LetGo(Interrupt):
    """Somebody took the workflow out of RUNNING (paused, cancelled, timed out, resumed) under this attempt."""


class LeaseLost(Interrupt):
    """The workflow belongs to a later attempt, or this process may no longer claim to own it."""


class Diverged(Interrupt):
    """The code does not fit the recorded history; `error` is the NotReplayable that explains it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Stopped(Interrupt):
    """
    Nobody is to run this attempt any more; `error` says why, and is raised again once the row is given back.

    Code in an event loop raised KeyboardInterrupt, which would end the loop of all its neighbours; or the task of a
    plain call was cancelled, as by a client that has gone away.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Crashed(Interrupt):
    """A test plays the death of the process: nothing more is written, as if by SIGKILL."""


class EngineFailed(Interrupt):
    """The engine's own statement failed in a way that repeating cannot mend: missing table, missing right."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
