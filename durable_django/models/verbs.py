"""Verbs of operators: where the body of a workflow calls one, the engine makes a step of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Engine(Protocol):
    """What verbs need of the engine, which enters itself below, since models do not import it."""

    def perform(self, verb: str, act: Callable[[], Any], *, is_atomic: bool) -> Any:
        """Do what a verb does: in the body of a workflow as a step, anywhere else at once."""

    def is_in_body(self) -> bool:
        """Whether this is the code of a workflow itself, not of a step."""

    def new_id(self, *parts: str) -> str:
        """Return an id for what a verb makes; in a step, the one that the step makes again if it runs again."""


_engine: list[Engine] = []


def connect(engine: Engine) -> None:
    """Let the engine do the verbs from now on."""
    _engine[:] = [engine]


def is_in_body() -> bool:
    """Whether this is the code of a workflow itself, which must not depend on what rows say by the way."""
    return _engine[0].is_in_body()


def new_id(*parts: str) -> str:
    """Return an id for what a verb makes; in a step, the one that the step makes again if it runs again."""
    return _engine[0].new_id(*parts)


def recorded(verb: str, *, is_atomic: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Let a method be one step, named after the verb, where a workflow itself calls it; a replay does not repeat it.

    is_atomic  one transaction with the record of the step. Not for what takes many transactions, nor for what may stop
               the very workflow that calls it, whose record would be refused, and the verb undone with it
    """

    def around(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def act(*args: P.args, **kwargs: P.kwargs) -> R:
            done: R = _engine[0].perform(verb, partial(method, *args, **kwargs), is_atomic=is_atomic)
            return done

        return act

    return around
