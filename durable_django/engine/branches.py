"""Branches: lines of calls within one run, each of which numbers its own, and who may call on them."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asgiref.sync import AsyncToSync

from durable_django.base.interrupts import Interrupt
from durable_django.exceptions import OutsideWorkflow

#: As long as the column that holds it.
_LONGEST_KEY = 64


class Place(NamedTuple):
    """Where a call stands: the number of the call on its branch. The main line is the branch ''."""

    branch: str
    position: int

    def __str__(self) -> str:
        return f"{self.branch}.{self.position}" if self.branch else str(self.position)

    @property
    def label(self) -> int | str:
        """How people read it: the bare number on the main line."""
        return str(self) if self.branch else self.position

    def key_of_branch(self, number: int) -> str:
        """
        Return the key of one of the branches that begin here, which are numbered from 1.

        Raises ValueError if branches are nested too deeply to be named.
        """
        key = f"{self}.{number}"
        if len(key) > _LONGEST_KEY:
            message = f"gather() is nested too deeply: branch {key} has more than {_LONGEST_KEY} characters."
            raise ValueError(message)
        return key


class Seat(NamedTuple):
    """From where code calls: its thread, its task, and whether it is inside async_to_sync()."""

    thread: int
    task: Any
    executor: Any


def seat() -> Seat:
    """Return from where this code calls."""
    # The private function is the documented way to ask without an exception where no loop runs.
    task = None if asyncio._get_running_loop() is None else asyncio.current_task()  # noqa: SLF001
    return Seat(threading.get_ident(), task, getattr(AsyncToSync.executors, "current", None))


@dataclass(eq=False)
class Branch:
    """
    One line of calls of a run.

    key        '' for the main line, '3.2' for the second branch of the gather() at position 3
    position   the last number that was given out
    interrupt  why this branch goes no further in this attempt, while others may
    seat       from where it may be called
    is_child   it is nothing but a child: what it waits for last is the child's end
    refusals   how often it has asked for more since it was interrupted
    """

    key: str = ""
    position: int = 0
    interrupt: Interrupt | None = None
    seat: Seat = field(default_factory=seat)
    is_child: bool = False
    refusals: int = 0

    def next_place(self) -> Place:
        """Give out the next place."""
        self.position += 1
        return Place(self.key, self.position)

    def require_own_seat(self, operation: str, workflow_id: str) -> None:
        """Raise OutsideWorkflow unless the code calls from where the branch runs: others wake in any order."""
        here = seat()
        if here == self.seat:
            return
        if here.executor is not self.seat.executor:
            where = f"in the code of workflow {workflow_id!r} itself"
            advice = "Tasks wake in an order that a replay need not repeat. Put async_to_sync() into one step."
        elif here.thread != self.seat.thread:
            where, advice = f"in the thread that runs workflow {workflow_id!r}", "Threads keep no order of calls."
        else:
            where = f"in the task that runs workflow {workflow_id!r}"
            advice = "Tasks wake in an order that a replay need not repeat."
        advice += " To do several things at once, use gather()."
        raise OutsideWorkflow(operation=operation, where=where, advice=advice)
