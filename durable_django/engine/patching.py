"""
Patches: code that has changed while workflows run asks which of its ways a history has gone.

The first to come to the place of a patch leaves a marker there, a step of its own. A history that has something else
there, or has gone on behind it, was made by the code before the patch; it goes on without, and no place is taken.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from durable_django.engine import context, stepping
from durable_django.engine.branches import Place
from durable_django.engine.calls import StepSpec
from durable_django.engine.context import Run

#: The kind of a marker; its name is that of the patch.
KIND = "patch"


def patched(name: str) -> bool:
    """Return whether this run goes the new way: it did before, or is the first to come here."""
    run = context.require_run("patched()")
    if run.board is not None and not context.has_taken_places():
        context.refuse_blocking("patched()", "await apatched(...)")
    return not _is_past(run, name) and bool(stepping.perform(_marker(name), (), {}))


def apatched(name: str) -> Coroutine[Any, Any, bool]:
    """Return what says the same in an async workflow. It is decided at the call, not when it is awaited."""
    if (refused := context.refused()) is not None:
        return refused
    run = context.require_run("apatched()")
    return _answer() if _is_past(run, name) else stepping.aperform(_marker(name), (), {})


async def _answer() -> bool:
    return False


def deprecate_patch(name: str) -> None:
    """Step over the marker, where there is one."""
    run = context.require_run("deprecate_patch()")
    if _has_marker(run, _next(run), name):
        place = run.next_place()
        if run.rehearsed is not None:
            run.rehearsed.add(place)


def _marker(name: str) -> StepSpec:
    return StepSpec(name=name, func=_yes, kind=KIND)


def _yes() -> bool:
    return True


def _next(run: Run) -> Place:
    """Return the place that the next call would take."""
    return Place(run.branch.key, run.branch.position + 1)


def _has_marker(run: Run, place: Place, name: str) -> bool:
    recorded = run.history.get(place)
    return recorded is not None and (recorded.name, recorded.kind) == (name, KIND)


def _is_past(run: Run, name: str) -> bool:
    """Whether the history has come here, or further, without this patch."""
    place = _next(run)
    if _has_marker(run, place, name):
        return False
    if run.reached is None:
        run.reached = _reached(run.history)
    return run.reached.get(place.branch, 0) >= place.position


def _reached(places: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the last position of each line of calls, also of those of which only branches are recorded."""
    last: dict[str, int] = {}
    for branch, position in places:
        parts = branch.split(".") if branch else []
        for end in range(0, len(parts), 2):
            line = ".".join(parts[:end])
            last[line] = max(last.get(line, 0), int(parts[end]))
        last[branch] = max(last.get(branch, 0), position)
    return last
