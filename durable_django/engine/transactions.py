"""Transactions that user code leaves open: found before anything is recorded, and rolled back."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.transaction import TransactionManagementError


def is_left_open(alias: str, depth: int) -> bool:
    """
    Whether this thread's connection is deeper in transactions than it was, or in one that Django knows nothing of.

    depth  how many atomic blocks were open before
    """
    connection = connections[alias]
    if len(connection.atomic_blocks) > depth:
        return True
    if connection.connection is None or connection.in_atomic_block:
        return False
    return not connection.autocommit or _is_in_transaction(connection)


def close_left_open(alias: str, depth: int) -> bool:
    """Roll back what was left open; whether there was anything. What is recorded must not depend on its commit."""
    if not is_left_open(alias, depth):
        return False
    if depth:
        _leave(connections[alias], depth)
    else:
        discard(alias)
    return True


def _leave(connection: Any, depth: int) -> None:
    """Leave the atomic blocks above a level as an error would, innermost first; a TestCase's own ones stay."""
    while len(connection.atomic_blocks) > depth:
        connection.atomic_blocks[-1].__exit__(TransactionManagementError, None, None)


def unwind(connection: Any, blocks: int, savepoints: int) -> bool:
    """Forget the atomic blocks above a level, as if they had been left; whether there were any."""
    is_deeper = len(connection.atomic_blocks) > blocks
    del connection.atomic_blocks[blocks:]
    del connection.savepoint_ids[savepoints:]
    return is_deeper


def discard(alias: str) -> None:
    """Drop this thread's session with all that Django counts for it; the next query opens another."""
    wrapper: Any = connections[alias]
    if wrapper.connection is not None:
        wrapper._close()  # noqa: SLF001 - close() keeps a session inside a block, which nobody will leave
    wrapper.connection = None
    wrapper.in_atomic_block = wrapper.needs_rollback = wrapper.closed_in_transaction = False
    wrapper.atomic_blocks, wrapper.savepoint_ids, wrapper.run_on_commit = [], [], []


def is_ended_by_hand(connection: Any) -> bool:
    """
    Whether the server has no open transaction although Django is inside of one.

    Not if the session is lost, and the transaction with it: that was not the body's hand.
    """
    if connection.connection is None or not connection.in_atomic_block or _is_lost(connection):
        return False
    return not _is_in_transaction(connection)


def _is_lost(connection: Any) -> bool:
    """Whether the session is closed, or was found broken."""
    return connection.vendor == "postgresql" and bool(connection.connection.closed)


def _is_in_transaction(connection: Any) -> bool:
    """Whether the session itself is in a transaction, as the driver knows without asking the server."""
    session = connection.connection
    if connection.vendor == "sqlite":
        return bool(session.in_transaction)
    return session.info.transaction_status.name in {"INTRANS", "INERROR", "ACTIVE"}
