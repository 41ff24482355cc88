"""models/turns.py: the threads of one process write to SQLite one after the other, and none waits for long."""

import threading
from contextlib import contextmanager
from unittest import mock, skipUnless

from django.db import connection, connections, transaction
from django.test import TransactionTestCase

from durable_django.models import turns
from durable_django.models.turns import turn

ON_SQLITE = skipUnless(connection.vendor == "sqlite", "other databases have many writers")
LIMIT_SECONDS = 30


def my_turn():
    """Return the turn of the thread that asks, on its own connection."""
    return turn(connections["default"])


class Holder:
    """Another thread, which has the turn until it is told to give it back."""

    def __init__(self):
        self.has_turn, self.gives_back = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.hold, daemon=True)

    def hold(self):
        try:
            with my_turn():
                self.has_turn.set()
                self.gives_back.wait(LIMIT_SECONDS)
        finally:
            connections.close_all()

    def give_back(self):
        self.gives_back.set()
        self.thread.join(LIMIT_SECONDS)


@contextmanager
def held_elsewhere():
    """Let another thread have the turn while the block runs."""
    holder = Holder()
    holder.thread.start()
    holder.has_turn.wait(LIMIT_SECONDS)
    try:
        yield holder
    finally:
        holder.give_back()


def longest_wait(seconds):
    return mock.patch.object(turns, "_LONGEST_WAIT_SECONDS", seconds)


class ATurn(TransactionTestCase):
    @ON_SQLITE
    def test_is_waited_for(self):
        """Whoever comes second goes on when the first has written."""
        entered = threading.Event()

        def write():
            with my_turn():
                entered.set()
            connections.close_all()

        with longest_wait(LIMIT_SECONDS), held_elsewhere() as holder:
            second = threading.Thread(target=write, daemon=True)
            second.start()
            early = entered.wait(0.05)
            holder.give_back()
            late = entered.wait(LIMIT_SECONDS)
            second.join(LIMIT_SECONDS)

        self.assertEqual((False, True), (early, late))

    def test_is_not_waited_for_without_end(self):
        """After a second SQLite itself decides, which gives up at its own timeout."""
        with longest_wait(0.01), held_elsewhere() as holder, my_turn():
            is_held = holder.thread.is_alive()

        self.assertTrue(is_held)

    @ON_SQLITE
    def test_that_was_not_had_is_not_given_back(self):
        """Whoever went on without it leaves it to the one who has it."""
        with longest_wait(0.01), held_elsewhere():
            with my_turn():
                pass
            is_free = turns._locks["default"].acquire(blocking=False)
            if is_free:
                turns._locks["default"].release()

        self.assertFalse(is_free)

    def test_is_not_waited_for_inside_a_transaction(self):
        """It has the lock of the file already, for which the one whose turn it is may be waiting."""
        with longest_wait(LIMIT_SECONDS), held_elsewhere() as holder, transaction.atomic(), my_turn():
            is_held = holder.thread.is_alive()

        self.assertTrue(is_held)

    def test_may_be_had_twice(self):
        """A claim has it, and so has each statement of the claim."""
        with longest_wait(LIMIT_SECONDS), my_turn(), my_turn():
            pass

        with held_elsewhere() as holder:
            self.assertTrue(holder.has_turn.is_set())

    @skipUnless(connection.vendor == "postgresql", "SQLite has one writer")
    def test_is_everybodys_where_there_are_many_writers(self):
        """Elsewhere it does nothing."""
        with longest_wait(LIMIT_SECONDS), held_elsewhere() as holder, my_turn():
            is_held = holder.thread.is_alive()

        self.assertTrue(is_held)
