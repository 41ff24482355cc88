"""Verbs of operators: where the body of a workflow calls one, the engine makes a step of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: Does a verb (name, call, and whether it is one transaction) where the code is that calls it.
Recorder = Callable[..., Any]

_recorder: list[Recorder] = []


def connect(recorder: Recorder) -> None:
    """Let the engine do the verbs from now on."""
    _recorder[:] = [recorder]


def recorded(verb: str, *, is_atomic: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a method be one step, named after the verb, where a workflow itself calls it; a replay does not repeat it."""

    def around(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def act(*args: P.args, **kwargs: P.kwargs) -> R:
            done: R = _recorder[0](verb, partial(method, *args, **kwargs), is_atomic=is_atomic)
            return done

        return act

    return around
