"""
gather(): several lines of calls in one workflow, each of which numbers its own steps.

In a synchronous workflow the branches take turns in its one thread: one that waits is left, the next one runs, and the
thread is given back when none can go on. What was left is called again from its beginning, in this attempt or a later
one, and answered from what it has recorded.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from durable_django.base.interrupts import Parked, Stopped
from durable_django.engine import checkpoints, children, context, fanning, waits
from durable_django.engine.boards import Board
from durable_django.engine.branches import Branch, Place
from durable_django.engine.context import Run
from durable_django.engine.waits import Wait


@dataclass(frozen=True)
class Ended:
    """How a branch ended: with a value or an error."""

    value: Any = None
    error: Exception | None = None


def gather(calls: Sequence[Callable[[], Any]]) -> list[Ended]:
    """
    Call each as a branch of its own until all have ended. Return how, in order.

    Raises Suspended, or Parked on a branch, when none of those that are left can go on.
    """
    run = context.require_run("gather()")
    if run.board is not None:
        context.refuse_blocking("gather()", "await agather(...)")
    place = run.next_place()
    checkpoints.recall(run, place, "gather", "gather")
    keyed = [(place.key_of_branch(number), call) for number, call in enumerate(calls, 1)]
    if run.rehearsed is None:
        fanning.start_ahead(run, keyed)
    ended: dict[int, Ended] = {}
    parked: dict[int, tuple[Wait, ...]] = {}
    todo = list(range(len(calls)))
    while todo:
        if run.rehearsed is None:
            children.look_for_live(run)
            fanning.answer_ahead(run, [keyed[number] for number in todo])
        for number in todo:
            parked.pop(number, None)
            try:
                ended[number] = _call(run, place, number, calls[number])
            except Parked as left:
                parked[number] = left.waits
        todo = _that_can_go_on(run, parked) if parked else []
    return [ended[number] for number in range(len(calls))]


def _is_child(call: Any) -> bool:
    """Whether a branch is nothing but the call of a workflow, or of its acall()."""
    func = getattr(call, "func", call)
    return any(getattr(each, "registered", None) is not None for each in (func, getattr(func, "__self__", None)))


def agather(calls: Sequence[Callable[[], Any]]) -> Coroutine[Any, Any, list[Ended]]:
    """Call each as a branch in a task of its own, until all have ended: see gather(). Its place is taken now."""
    if (refused := context.refused()) is not None:
        return refused
    run = context.require_run("agather()")
    if run.board is None:
        context.refuse_awaiting("agather()")
    place = run.next_place()
    checkpoints.recall(run, place, "gather", "gather")
    return _in_tasks(run, run.board, place, calls)


async def _in_tasks(run: Run, board: Board, place: Place, calls: Sequence[Callable[[], Any]]) -> list[Ended]:
    keys = [place.key_of_branch(number) for number in range(1, len(calls) + 1)]
    with board.branching(keys):
        tasks = [
            asyncio.create_task(_acall(run, board, key, call), name=f"{run.workflow.pk}/{key}")
            for key, call in zip(keys, calls, strict=True)
        ]
        try:
            return await _all(tasks)
        except _Left as left:
            if isinstance(left.error, KeyboardInterrupt):
                # The neighbours are only interrupted, to begin again: none of them is recorded as left.
                run.note(Stopped(left.error))
            raise left.error from None
        finally:
            await _end(tasks)


async def _all(tasks: Sequence[asyncio.Task[Ended]]) -> list[Ended]:
    try:
        return list(await asyncio.gather(*tasks))
    except asyncio.CancelledError:
        # It has cancelled the branches, and waited for them. If all have ended, what each ended with is recorded, and
        # every replay finds that and no cancellation.
        if all(task.done() and not task.cancelled() and task.exception() is None for task in tasks):
            return [task.result() for task in tasks]
        raise


async def _end(tasks: Sequence[asyncio.Task[Ended]]) -> None:
    """Cancel what still runs, and wait until it has ended: nothing of a branch goes on behind its gather()."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def _acall(run: Run, board: Board, key: str, call: Callable[[], Any]) -> Ended:
    try:
        with context.branching(Branch(key, is_child=_is_child(call))):
            value = call()
            ended = Ended(await value if inspect.isawaitable(value) else value)
    except Exception as error:  # noqa: BLE001 - whatever user code raises is how the branch ends
        ended = Ended(error=error)
    except (KeyboardInterrupt, SystemExit) as error:
        raise _Left(error) from error
    finally:
        board.end_line(key)
    if run.interrupt is not None:
        raise run.interrupt
    return ended


class _Left(BaseException):
    """A branch raised what would end the event loop if it came out of a task: `error` comes out of the gather()."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


def _call(run: Run, place: Place, number: int, call: Callable[[], Any]) -> Ended:
    branch = Branch(place.key_of_branch(number + 1), seat=run.branch.seat, is_child=_is_child(call))
    try:
        with context.branching(branch):
            ended = Ended(call())
    except Exception as error:  # noqa: BLE001 - whatever user code raises is how the branch ends
        ended = Ended(error=error)
    except BaseException:
        # In a group of exceptions, maybe.
        _require_not_waiting(run, branch)
        raise
    _require_not_waiting(run, branch)
    return ended


def _require_not_waiting(run: Run, branch: Branch) -> None:
    """Raise the interrupt that user code has caught: it cannot go on as if nothing were waited for."""
    interrupt = run.interrupt or branch.interrupt
    if interrupt is not None:
        raise interrupt


def _that_can_go_on(run: Run, parked: dict[int, tuple[Wait, ...]]) -> list[int]:
    """Return the numbers of the branches whose answer has come; suspend if there is none."""
    everything = tuple(wait for left in parked.values() for wait in left)
    if not run.is_alone:
        run.guard(_raise, Parked(everything))
    ready = set(waits.suspend(run, everything))
    return [number for number, left in parked.items() if any(wait in ready for wait in left)]


def _raise(interrupt: Parked) -> None:
    raise interrupt
