"""engine/faults.py: what a database error means, by its code, never by its class or its words."""

import sqlite3
from unittest import mock

import psycopg
from django.db import DatabaseError, IntegrityError, InterfaceError, InternalError, OperationalError, ProgrammingError
from django.test import SimpleTestCase, TestCase

from durable_django.base.interrupts import EngineFailed, LeaseLost
from durable_django.engine import faults
from durable_django.engine.faults import Fault
from durable_django.engine.ownership import Ownership

#: Django's class, SQLSTATE, what it means. RELIABILITY asks for each of them by code: the class alone misleads.
BY_STATE = (
    (OperationalError, "40001", Fault.ROLLED_BACK),
    (OperationalError, "40P01", Fault.ROLLED_BACK),
    (OperationalError, "55P03", Fault.TIMED_OUT),
    (OperationalError, "57014", Fault.TIMED_OUT),
    (OperationalError, "57P01", Fault.LOST),
    (OperationalError, "57P02", Fault.LOST),
    (OperationalError, "57P03", Fault.LOST),
    (OperationalError, "08000", Fault.LOST),
    (OperationalError, "08003", Fault.LOST),
    (OperationalError, "08006", Fault.LOST),
    (InternalError, "25P03", Fault.LOST),
    (InternalError, "25P02", Fault.PERMANENT),
    (InternalError, "25006", Fault.UNAVAILABLE),
    (OperationalError, "53100", Fault.UNAVAILABLE),
    (OperationalError, "53200", Fault.UNAVAILABLE),
    (OperationalError, "53300", Fault.UNAVAILABLE),
    (OperationalError, "58030", Fault.UNAVAILABLE),
    (OperationalError, "54000", Fault.PERMANENT),
    (DatabaseError, "22P05", Fault.PERMANENT),
    (DatabaseError, "22P02", Fault.PERMANENT),
    (DatabaseError, "22021", Fault.PERMANENT),
    (IntegrityError, "23505", Fault.TAKEN),
    (IntegrityError, "23502", Fault.REFUSED),
    (IntegrityError, "23503", Fault.CONSTRAINT),
    (IntegrityError, "23514", Fault.CONSTRAINT),
    (ProgrammingError, "42501", Fault.PERMANENT),
    (ProgrammingError, "42P01", Fault.PERMANENT),
    (ProgrammingError, "26000", Fault.ROLLED_BACK),
    (ProgrammingError, "42P05", Fault.ROLLED_BACK),
)
BY_SQLITE_CODE = (
    (OperationalError, sqlite3.SQLITE_BUSY, Fault.ROLLED_BACK),
    (OperationalError, sqlite3.SQLITE_BUSY_SNAPSHOT, Fault.ROLLED_BACK),
    (OperationalError, sqlite3.SQLITE_LOCKED, Fault.ROLLED_BACK),
    (OperationalError, sqlite3.SQLITE_INTERRUPT, Fault.TIMED_OUT),
    (OperationalError, sqlite3.SQLITE_FULL, Fault.UNAVAILABLE),
    (OperationalError, sqlite3.SQLITE_IOERR, Fault.UNAVAILABLE),
    (OperationalError, sqlite3.SQLITE_IOERR_WRITE, Fault.UNAVAILABLE),
    (OperationalError, sqlite3.SQLITE_CANTOPEN, Fault.UNAVAILABLE),
    (OperationalError, sqlite3.SQLITE_READONLY, Fault.UNAVAILABLE),
    (OperationalError, sqlite3.SQLITE_ERROR, Fault.PERMANENT),
    (IntegrityError, sqlite3.SQLITE_CONSTRAINT_NOTNULL, Fault.REFUSED),
    (IntegrityError, sqlite3.SQLITE_CONSTRAINT_UNIQUE, Fault.TAKEN),
    (IntegrityError, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, Fault.TAKEN),
    (IntegrityError, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, Fault.CONSTRAINT),
    (IntegrityError, sqlite3.SQLITE_CONSTRAINT_CHECK, Fault.CONSTRAINT),
    (DatabaseError, sqlite3.SQLITE_CORRUPT, Fault.PERMANENT),
)


def postgresql_error(kind, state, words="x"):
    """Return Django's error with the driver's as its cause."""
    driver = psycopg.errors.lookup(state)(words)
    error = kind(words)
    error.__cause__ = driver
    return error


def sqlite_error(kind, code, words="x"):
    driver = sqlite3.OperationalError(words)
    driver.sqlite_errorcode = code
    error = kind(words)
    error.__cause__ = driver
    return error


class AnError(SimpleTestCase):
    def test_of_postgresql_is_classified_by_its_state(self):
        """Every state of RELIABILITY, part 4."""
        for kind, state, fault in BY_STATE:
            with self.subTest(state=state):
                self.assertIs(fault, faults.classify(postgresql_error(kind, state)))

    def test_of_sqlite_is_classified_by_its_code(self):
        """Extended codes by their primary one, where they are not known themselves."""
        for kind, code, fault in BY_SQLITE_CODE:
            with self.subTest(code=code):
                self.assertIs(fault, faults.classify(sqlite_error(kind, code)))

    def test_is_not_classified_by_its_words(self):
        """User data may say "database is locked" or "connection lost"; I9."""
        for words in ("database is locked", "server closed the connection unexpectedly", "deadlock detected"):
            with self.subTest(words=words):
                self.assertIs(Fault.PERMANENT, faults.classify(ValueError(words)))
                self.assertIs(
                    Fault.PERMANENT, faults.classify(sqlite_error(OperationalError, sqlite3.SQLITE_ERROR, words))
                )
                self.assertIs(Fault.PERMANENT, faults.classify(postgresql_error(OperationalError, "54000", words)))

    def test_without_a_state_is_a_lost_connection(self):
        """No server was there to give one."""
        for error in (OperationalError("connection refused"), InterfaceError("connection already closed")):
            self.assertIs(Fault.LOST, faults.classify(error))
        self.assertIs(Fault.PERMANENT, faults.classify(ProgrammingError("x")))

    def test_says_nothing_about_the_work_if_it_passes(self):
        """Lost, rolled back, unavailable; not a constraint, a timeout or a syntax error, and no other exception."""
        passing = {Fault.LOST, Fault.ROLLED_BACK, Fault.UNAVAILABLE}
        for kind, state, fault in BY_STATE:
            with self.subTest(state=state):
                self.assertEqual(fault in passing, faults.is_passing(postgresql_error(kind, state)))
        self.assertFalse(faults.is_passing(ConnectionError("provider")))
        self.assertFalse(faults.is_passing(TimeoutError()))


class UntilAnswered(TestCase):
    def until(self, *outcomes, owner=None):
        """Do something that ends in these ways, one after another. Return its answer and the number of tries."""
        left = list(outcomes)
        tries = []

        def act():
            tries.append(1)
            outcome = left.pop(0)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        with mock.patch.object(Ownership, "pause"), self.outside_of_the_tests_transaction():
            return faults.until_answered("default", owner or Ownership("w"), "test", act), len(tries)

    @staticmethod
    def outside_of_the_tests_transaction():
        """Let the engine believe that it is not inside a transaction, where nothing can be tried again."""
        connection = mock.Mock(in_atomic_block=False)
        manager = mock.MagicMock()
        manager.__getitem__.return_value = connection
        manager.all.return_value = []
        return mock.patch.object(faults, "connections", manager)

    def test_an_answer_comes_at_once(self):
        """One try."""
        self.assertEqual((5, 1), self.until(5))

    def test_what_passes_is_tried_again(self):
        """As often as it takes."""
        outcomes = [postgresql_error(OperationalError, "57P01"), OperationalError("refused"), InterfaceError("closed")]
        outcomes += [postgresql_error(InternalError, "25006"), postgresql_error(OperationalError, "57014")]

        self.assertEqual((5, 6), self.until(*outcomes, 5))

    def test_what_repeating_cannot_mend_fails_the_engine(self):
        """A missing table or right: an interrupt, never an Exception in user code."""
        with self.assertRaises(EngineFailed) as caught:
            self.until(postgresql_error(ProgrammingError, "42P01"))

        self.assertNotIsInstance(caught.exception, Exception)
        self.assertIsInstance(caught.exception.error, ProgrammingError)

    def test_a_constraint_is_an_answer(self):
        """IntegrityErrors go through."""
        for state in ("23505", "23502", "23503"):
            with self.subTest(state=state), self.assertRaises(IntegrityError):
                self.until(postgresql_error(IntegrityError, state))

    def test_it_ends_with_the_lease(self):
        """A process that may no longer act stops trying."""
        owner = Ownership("w", 0.0)

        with self.assertRaises(LeaseLost):
            self.until(OperationalError("refused"), 5, owner=owner)

    def test_pauses_grow_up_to_a_bound(self):
        """With jitter, and told as a signal."""
        pauses = []
        owner = Ownership("w")
        with mock.patch.object(Ownership, "pause", lambda _owner, seconds: pauses.append(seconds)):
            for tries in range(1, 15):
                faults.back_off("default", owner, "test", OperationalError("x"), tries)

        self.assertTrue(all(0 < pause <= 3.0 for pause in pauses), pauses)
        self.assertLess(pauses[0], 0.1)
        self.assertGreater(pauses[-1], 0.9)
