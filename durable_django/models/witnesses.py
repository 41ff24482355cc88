"""Witnesses: who looks on, in the transaction of a verb, which workflows it changes, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

#: Takes the locked rows, and is left once they are changed: what it writes is committed with the change, or not at all.
Witness = Callable[[Any], AbstractContextManager[None]]

_witness: ContextVar[Witness | None] = ContextVar("durable_witness", default=None)


@contextmanager
def witnessed(witness: Witness) -> Iterator[None]:
    """Let a witness look on at the verbs of the block."""
    token = _witness.set(witness)
    try:
        yield
    finally:
        _witness.reset(token)


def seen(rows: Any) -> AbstractContextManager[None]:
    """Return the block in which a verb changes these rows, which it has locked."""
    witness = _witness.get()
    return nullcontext() if witness is None else witness(rows)
