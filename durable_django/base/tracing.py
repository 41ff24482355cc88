"""The seam for tracers: what surrounds a start, an attempt and a call of a step, once a tracer is connected."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Tracer(Protocol):
    """What the engine asks of a tracer, which must not raise."""

    def started(self, name: str, ids: Sequence[str]) -> str:
        """Return what workflows that are started now, together, carry in their rows: attempt() understands it."""

    def attempt(self, workflow: Any) -> AbstractContextManager[Any]:
        """Surround an attempt; `workflow` is the row, whose `trace_context` is what started() has returned."""

    def step(self, workflow: Any, step: Any) -> AbstractContextManager[Any]:
        """Surround one call of a step; `step` has name, position and attempt."""


_tracers: list[Tracer] = []
_NOTHING: AbstractContextManager[None] = nullcontext()


def connect(tracer: Tracer | None) -> None:
    """Let the engine tell this tracer, and no other; None for nobody."""
    _tracers[:] = [] if tracer is None else [tracer]


def started(name: str, ids: Sequence[str]) -> str:
    """Return what the workflows carry; empty without a tracer."""
    return _tracers[0].started(name, ids) if _tracers else ""


def attempt(workflow: Any) -> AbstractContextManager[Any]:
    """Surround an attempt."""
    return _tracers[0].attempt(workflow) if _tracers else _NOTHING


def step(workflow: Any, info: Any) -> AbstractContextManager[Any]:
    """Surround one call of a step."""
    return _tracers[0].step(workflow, info) if _tracers else _NOTHING
