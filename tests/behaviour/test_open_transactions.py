"""Transactions that user code leaves open: rolled back and told, and the thread's next workflow is unharmed."""

from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection, connections, transaction
from django.test import TestCase, TransactionTestCase

from durable_django import BrokenTransaction, InsideTransaction, Retry, step, workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, elsewhere, labels, row, steps
from tests.sample.models import Mark
from tests.sample.promises import Here, act, acts, acts_atomically, acts_itself


def enter_block():
    transaction.atomic().__enter__()


def enter_two_blocks():
    enter_block()
    enter_block()


def turn_autocommit_off():
    transaction.set_autocommit(False)


def begin_by_hand():
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")


BLOCKS = (enter_block, enter_two_blocks)
WAYS = (*BLOCKS, turn_autocommit_off, begin_by_hand)


def leaving_open(way, error=None):
    """Return a body that writes inside a transaction that it never ends."""

    def body():
        way()
        Mark.objects.create(label="body")
        if error is not None:
            raise error
        return "value"

    return body


@contextmanager
def connection_of_its_own():
    """Run the block on another connection than the suite's, which no failure can leave inside a transaction."""
    before = connections["default"]
    connections["default"] = before.copy()
    try:
        yield
    finally:
        if connection.connection is not None:
            connection.connection.close()
        connections["default"] = before


@workflow
def acts_alone():
    """The workflow's own code, with no step behind it."""
    return Here.act()


@workflow
def acts_last():
    """Nothing follows the plain step."""
    return act()


@step(retry=Retry(max_attempts=3, base_seconds=0.01, jitter=0))
def act_again():
    return Here.act()


@workflow
def acts_with_retries():
    return act_again()


@workflow
def leaves_open_when_stopped(way):
    """It swallows what tells it to stop, and goes into a transaction instead."""
    try:
        act()
    except BaseException:
        next(each for each in WAYS if each.__name__ == way)()


def outcome(handle):
    """Return the result, or raise the error, that others see by now."""
    return elsewhere(lambda: handle.result(timeout=0))


def status_and_worker(handle):
    """Return what others see of the row."""
    return elsewhere(lambda: (row(handle).status, row(handle).worker))


def recorded(handle):
    """Return the names of the steps that others see."""
    return elsewhere(lambda: steps(handle))


class OpenTransactionTestCase(TransactionTestCase):
    def run_with(self, body, definition):
        handle = definition.start()
        with acting(body):
            run_until_idle()
        return handle

    def assert_rolled_back(self, handle, *, kind, left, words="left a transaction of its own open"):
        """Others see nothing of what was written in the open transaction, but an error, returned, that tells of it."""
        with self.assertRaises(BrokenTransaction) as caught:
            outcome(handle)
        for each in (kind, words, "everything was rolled back"):
            self.assertIn(each, str(caught.exception))
        self.assertEqual(left, elsewhere(labels))
        self.assertEqual(("failed", None), status_and_worker(handle))
        return caught.exception

    def assert_next_is_unharmed(self):
        """The same thread, on the same connection, commits what comes next."""
        self.assertEqual((True, False), (transaction.get_autocommit(), connection.in_atomic_block))
        handle = self.run_with(lambda: "next", acts)
        self.assertEqual("next", outcome(handle))
        self.assertEqual(["mark_atomically", "act", "mark"], recorded(handle))
        Mark.objects.all().delete()


class APlainStepThatLeavesATransactionOpen(OpenTransactionTestCase):
    def test_fails_and_what_it_wrote_is_rolled_back(self):
        """By blocks that it entered and never left, without autocommit, or by a BEGIN behind Django's back."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way), acts)

                self.assert_rolled_back(handle, kind="Step 'act'", left=["before"])
                self.assertEqual(["mark_atomically", "act"], recorded(handle))
                self.assert_next_is_unharmed()

    def test_fails_though_nothing_follows_it(self):
        """Its record is not swallowed by the transaction that it was to be written in."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way), acts_last)

                self.assert_rolled_back(handle, kind="Step 'act'", left=[])
                self.assert_next_is_unharmed()

    def test_fails_for_that_also_if_it_raises(self):
        """Its own error is the cause."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way, LookupError("lost")), acts)

                error = self.assert_rolled_back(handle, kind="Step 'act'", left=["before"])
                self.assertIsInstance(error.__cause__, LookupError)
                self.assert_next_is_unharmed()

    def test_is_not_retried(self):
        """Its code would leave the next one open too."""
        calls = []

        def body():
            calls.append(1)
            enter_block()

        with connection_of_its_own():
            handle = self.run_with(body, acts_with_retries)

            self.assert_rolled_back(handle, kind="Step 'act_again'", left=[])
        self.assertEqual(1, len(calls))


class AWorkflowThatLeavesATransactionOpen(OpenTransactionTestCase):
    def test_fails_and_what_it_wrote_is_rolled_back(self):
        """It returned a value, but part of what it did is gone: that is no success."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way), acts_alone)

                self.assert_rolled_back(handle, kind=f"Workflow '{acts_alone.name}'", left=[])
                self.assert_next_is_unharmed()

    def test_cannot_call_a_step_in_it(self):
        """The step is refused before it runs; the transaction is rolled back all the same."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way), acts_itself)

                with self.assertRaises(InsideTransaction):
                    outcome(handle)
                self.assertEqual(["before"], elsewhere(labels))
                self.assert_next_is_unharmed()

    def test_fails_with_its_own_error_if_it_raises(self):
        """The error is its outcome, written outside of the transaction."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way, LookupError("lost")), acts_alone)

                with self.assertRaises(LookupError):
                    outcome(handle)
                self.assertEqual([], elsewhere(labels))
                self.assert_next_is_unharmed()

    def test_is_given_back_if_it_is_interrupted(self):
        """A KeyboardInterrupt out of an open transaction: the row is free for others, nothing of it stays."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                with self.assertRaises(KeyboardInterrupt):
                    self.run_with(leaving_open(way, KeyboardInterrupt()), acts_alone)

                self.assertEqual([], elsewhere(labels))
                run_until_idle()
                self.assert_next_is_unharmed()

    def test_is_let_go_if_it_is_stopped(self):
        """That nobody holds it any more is written outside of the transaction."""
        for way in WAYS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = leaves_open_when_stopped.start(way.__name__)
                with acting(lambda handle=handle: elsewhere(lambda: row(handle).pause())):
                    run_until_idle()

                self.assertEqual(("paused", None), status_and_worker(handle))
                self.assert_next_is_unharmed()


class AnAtomicStepThatLeavesABlockOpen(OpenTransactionTestCase):
    def test_fails_and_is_rolled_back_whole(self):
        """Also in a block that it left open inside its own transaction."""
        for way in BLOCKS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way), acts_atomically)

                self.assert_rolled_back(
                    handle,
                    kind="Atomic step 'act_atomically'",
                    words="left a block of transaction.atomic() open",
                    left=["before"],
                )
                self.assertEqual(["mark_atomically", "act_atomically"], recorded(handle))
                self.assert_next_is_unharmed()

    def test_fails_for_that_also_if_it_raises(self):
        """Its own error gives way, and is told with it."""
        for way in BLOCKS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                handle = self.run_with(leaving_open(way, LookupError("lost")), acts_atomically)

                error = self.assert_rolled_back(
                    handle,
                    kind="Atomic step 'act_atomically'",
                    words="left a block of transaction.atomic() open",
                    left=["before"],
                )
                self.assertIsInstance(error.__context__, LookupError)
                self.assert_next_is_unharmed()

    def test_is_rolled_back_if_it_is_interrupted(self):
        """A KeyboardInterrupt out of the open block: neither effect nor checkpoint."""
        for way in BLOCKS:
            with self.subTest(way=way.__name__), connection_of_its_own():
                with self.assertRaises(KeyboardInterrupt):
                    self.run_with(leaving_open(way, KeyboardInterrupt()), acts_atomically)

                self.assertEqual(["before"], elsewhere(labels))
                run_until_idle()
                self.assert_next_is_unharmed()


class UnderATestCase(TestCase):
    """The blocks of the test stay; those inside of them that user code leaves open end as they would in a worker."""

    def run_with(self, body, definition):
        handle = definition.start()
        with acting(body):
            run_until_idle()
        return handle

    def test_what_is_left_open_is_rolled_back(self):
        """In a plain step, in the workflow's own code and in an atomic step."""
        for definition, left in ((acts, ["before"]), (acts_alone, []), (acts_atomically, ["before"])):
            for way in BLOCKS:
                with self.subTest(definition=definition.name, way=way.__name__):
                    handle = self.run_with(leaving_open(way), definition)

                    with self.assertRaises(BrokenTransaction):
                        handle.result()
                    self.assertEqual(left, labels())
                    self.assertEqual("next", self.run_with(lambda: "next", acts).result())
                    Mark.objects.all().delete()

    def test_what_failed_in_it_is_rolled_back(self):
        """A statement that failed in a block that nobody leaves does not break the test's own transaction."""

        def body():
            enter_block()
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table")

        for definition in (acts, acts_alone, acts_atomically):
            with self.subTest(definition=definition.name):
                handle = self.run_with(body, definition)

                with self.assertRaises(BrokenTransaction):
                    handle.result()
                self.assertEqual("next", self.run_with(lambda: "next", acts).result())
