"""Code that goes on past the end of its attempt, having caught what left it: it is told of, and slowed down."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from durable_django import signals
from durable_django.base.interrupts import Interrupt

if TYPE_CHECKING:
    from durable_django.engine.branches import Branch
    from durable_django.engine.context import Run

#: So often a line of calls may ask for more before it is told of: `finally` blocks and context managers do, too.
MOST_REFUSALS = 10
_SHORTEST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 1.0


def refuse(run: Run, branch: Branch, interrupt: Interrupt, *, is_in_loop: bool) -> None:
    """Note that a line of calls asks for more. In a thread one that does not end is held for longer and longer."""
    branch.refusals += 1
    if branch.refusals < MOST_REFUSALS:
        return
    tell(run, interrupt)
    if not is_in_loop:
        time.sleep(_pause(branch))


async def refuse_later(branch: Branch, interrupt: Interrupt) -> Any:
    """Raise the interrupt where it is awaited, after a pause: code that never pauses would block the event loop."""
    branch.refusals += 1
    await asyncio.sleep(_pause(branch))
    raise interrupt


def tell(run: Run, interrupt: Interrupt) -> None:
    """Say once for each attempt that its code has swallowed what left it."""
    if run.has_swallowed:
        return
    run.has_swallowed = True
    row = run.workflow
    signals.interrupt_swallowed.send_robust(
        sender=row.name,
        workflow_id=row.pk,
        name=row.name,
        queue=row.queue,
        attempt=row.attempt,
        interrupt=type(interrupt).__name__,
    )


def _pause(branch: Branch) -> float:
    doublings = min(branch.refusals - MOST_REFUSALS, 10)
    return min(_SHORTEST_PAUSE_SECONDS * 2.0**doublings, _LONGEST_PAUSE_SECONDS)
