"""What an atomic body does to its transaction: body and checkpoint are committed together, or not at all."""

import asyncio
from unittest import skipUnless

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import TransactionTestCase

from durable_django import BrokenTransaction, Retry, signals, step, workflow
from durable_django.models import Step
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, elsewhere, labels, row, steps
from tests.sample.models import Child, Mark, Parent, Unique
from tests.sample.promises import Here, acts, acts_atomically, acts_itself

TAKEN = "taken"


def sql(text):
    """Run a statement behind Django's back."""
    with connection.cursor() as cursor:
        cursor.execute(text)


@step(atomic=True, retry=Retry(max_attempts=3, base_seconds=0, jitter=0))
def act_with_retry():
    return Here.act()


@workflow
def acts_with_retry():
    """One atomic step that is called again if it fails."""
    return act_with_retry()


class AtomicBodyTestCase(TransactionTestCase):
    def run_with(self, body, definition=acts_atomically):
        handle = definition.start()
        with acting(body):
            run_until_idle()
        return handle.refresh()

    def assert_broken(self, body, *words):
        """The step fails loudly, names what it did, and none of its writes stay."""
        handle = self.run_with(body)

        with self.assertRaises(BrokenTransaction) as caught:
            handle.result()
        self.assertIsInstance(caught.exception, transaction.TransactionManagementError)
        for each in ("Atomic step 'act_atomically'", "everything was rolled back", *words):
            self.assertIn(each, str(caught.exception))
        self.assertEqual(["before"], labels())
        self.assertEqual(["mark_atomically", "act_atomically"], steps(handle))
        self.assertEqual(("failed", None), (row(handle).status, row(handle).worker))


class ABodyThatSwallowsAnError(AtomicBodyTestCase):
    def setUp(self):
        Unique.objects.create(label=TAKEN)

    def test_in_its_own_transaction_is_broken(self):
        """An IntegrityError caught by hand: never "recorded, not done"; G7."""

        def body():
            Mark.objects.create(label="body")
            try:
                Unique.objects.create(label=TAKEN)
            except IntegrityError:
                return "already there"

        self.assert_broken(body, "swallowed a database error", "with transaction.atomic()")

    def test_in_raw_sql_is_broken(self):
        """An error of a statement that nothing follows; G8."""

        def body():
            Mark.objects.create(label="body")
            try:
                sql("SELECT * FROM no_such_table")
            except DatabaseError:
                return

        self.assert_broken(body, "swallowed a database error", "no_such_table")

    def test_in_a_block_of_its_own_is_fine(self):
        """With a savepoint around the statement that may fail, the step goes on."""

        def body():
            Mark.objects.create(label="body")
            try:
                with transaction.atomic():
                    Unique.objects.create(label=TAKEN)
            except IntegrityError:
                return "already there"

        handle = self.run_with(body)

        self.assertEqual("already there", handle.result())
        self.assertEqual(["before", "body", "after"], labels())

    def test_of_get_or_create_is_fine(self):
        """What Django itself catches inside a savepoint is no swallowed error."""
        handle = self.run_with(lambda: Unique.objects.get_or_create(label=TAKEN)[1])

        self.assertIs(False, handle.result())


class ABodyThatEndsItsTransaction(AtomicBodyTestCase):
    def test_by_a_raw_statement_is_broken(self):
        """COMMIT, END, ROLLBACK, ABORT, BEGIN by hand are refused before they are run; G10."""
        for text in (
            "COMMIT", "commit work", " END", "END TRANSACTION", "ROLLBACK", "ROLLBACK WORK", "BEGIN", "ABORT",
            "START TRANSACTION", "PREPARE TRANSACTION 'x'", "\n\tCommit;", "/* note */ COMMIT", "-- note\nCOMMIT",
        ):  # fmt: skip

            def body(text=text):
                Mark.objects.create(label="body")
                sql(text)
                Mark.objects.create(label="outside")

            with self.subTest(text=text):
                Mark.objects.all().delete()
                Step.objects.all().delete()
                self.assert_broken(body, "by hand")

    def test_by_a_raw_statement_and_swallows_the_refusal_is_broken(self):
        """The refusal is remembered."""

        def body():
            Mark.objects.create(label="body")
            try:
                sql("COMMIT")
            except DatabaseError:
                return "done"

        self.assert_broken(body, "ran COMMIT by hand")

    def test_behind_djangos_back_is_broken(self):
        """A COMMIT on the driver's own connection is noticed; what it committed cannot be undone, and is told."""

        def body():
            Mark.objects.create(label="body")
            connection.connection.commit()

        handle = self.run_with(body)

        with self.assertRaisesMessage(BrokenTransaction, "ended its transaction by hand"):
            handle.result()
        self.assertEqual("failed", row(handle).status)

    def test_and_raises_is_broken_and_not_retried(self):
        """What it committed would be done again: its own error gives way, and retry= does not count for it."""
        calls = []

        def body():
            calls.append(Mark.objects.create(label="body"))
            connection.connection.commit()
            raise LookupError("the provider does not answer")

        handle = self.run_with(body, acts_with_retry)

        with self.assertRaisesMessage(BrokenTransaction, "ended its transaction by hand") as caught:
            handle.result()
        self.assertEqual((1, ["body"]), (len(calls), labels()))
        self.assertEqual((0, None), (Step.objects.get().retries, Step.objects.get().next_retry_at))
        self.assertIsInstance(caught.exception.__context__, LookupError)

    @skipUnless(connection.vendor == "postgresql", "SQLite takes one statement at a time")
    def test_by_the_second_of_two_statements_is_broken(self):
        """A COMMIT hidden behind another statement is noticed afterwards."""
        handle = self.run_with(lambda: sql("SELECT 1; COMMIT"))

        with self.assertRaisesMessage(BrokenTransaction, "ended its transaction by hand"):
            handle.result()

    def test_by_djangos_own_commit_fails(self):
        """transaction.commit() and rollback() are refused by Django inside atomic(); the step fails with its words."""
        for end in (transaction.commit, transaction.rollback, lambda: transaction.set_autocommit(True)):
            with self.subTest(end=end):
                handle = self.run_with(end)
                with self.assertRaises(transaction.TransactionManagementError):
                    handle.result()

    def test_to_a_savepoint_is_fine(self):
        """ROLLBACK TO does not end the transaction."""

        def body():
            Mark.objects.create(label="kept")
            sql("SAVEPOINT mine")
            Mark.objects.create(label="dropped")
            sql("ROLLBACK TO mine")
            sql("ROLLBACK TO SAVEPOINT mine")

        self.run_with(body)

        self.assertEqual(["before", "kept", "after"], labels())


class ABodyThatAsksForRollback(AtomicBodyTestCase):
    def test_is_broken(self):
        """set_rollback(True) would exit silently with nothing written; G9."""

        def body():
            Mark.objects.create(label="body")
            transaction.set_rollback(True)

        self.assert_broken(body, "set_rollback(True)")


class ACommitThatFails(AtomicBodyTestCase):
    def test_for_a_deferred_foreign_key_is_the_steps_own_error(self):
        """Django's foreign keys are checked at COMMIT only: an IntegrityError of the step, recorded as such."""

        def body():
            Mark.objects.create(label="body")
            Child.objects.create(parent_id=4711)

        handle = self.run_with(body)

        with self.assertRaises(IntegrityError):
            handle.result()
        self.assertEqual(["before"], labels())
        self.assertEqual(["mark_atomically", "act_atomically"], steps(handle))
        self.assertFalse(Child.objects.exists())

    def test_for_a_constraint_can_be_caught_by_the_workflow(self):
        """The code decides what follows; at replay the same."""
        parent = Parent.objects.create()

        def body():
            Child.objects.create(parent=parent)

        handle = self.run_with(body)

        self.assertIsNone(handle.result())
        self.assertEqual(1, Child.objects.count())

    def test_runs_the_body_once(self):
        """A constraint is no reason to try again."""
        calls = []

        def body():
            calls.append(1)
            Child.objects.create(parent_id=4711)

        self.run_with(body)

        self.assertEqual(1, len(calls))


class OnCommit(AtomicBodyTestCase):
    def test_runs_after_the_checkpoint(self):
        """Receivers of on_commit() see a committed step."""
        seen = []

        def body():
            transaction.on_commit(lambda: seen.append(elsewhere(recorded)))

        def recorded():
            return list(Step.objects.order_by("position").values_list("name", flat=True))

        self.run_with(body)

        self.assertEqual([["mark_atomically", "act_atomically"]], seen)

    def test_that_raises_does_not_undo_the_step(self):
        """The commit stands: the step's value is returned, its body is not run again."""
        calls = []

        def fail():
            raise LookupError("receiver")

        def body():
            calls.append(1)
            Mark.objects.create(label="body")
            transaction.on_commit(fail)
            return "value"

        handle = self.run_with(body)

        self.assertEqual("value", handle.result())
        self.assertEqual((1, ["before", "body", "after"]), (len(calls), labels()))

    def test_that_is_left_by_something_else_does_not_undo_it_either(self):
        """sys.exit() in a hook is a failed hook: told by a signal; the step stands, and the workflow goes on."""
        heard = []

        def hear(step, error, **_facts):
            heard.append((step, type(error)))

        signals.step_hook_failed.connect(hear)
        self.addCleanup(signals.step_hook_failed.disconnect, hear)
        for error in (SystemExit(3), GeneratorExit(), asyncio.CancelledError()):
            for robust in (False, True):
                with self.subTest(error=type(error), robust=robust):
                    heard.clear()
                    Mark.objects.all().delete()
                    handle = self.run_with(lambda error=error, robust=robust: self.leave_behind(error, robust=robust))

                    self.assertEqual("value", handle.result())
                    self.assertEqual(["before", "body", "after"], labels())
                    self.assertEqual([("act_atomically", type(error))], heard)

    @staticmethod
    def leave_behind(error, *, robust):
        """Do the work of a body, and leave a hook that ends by this error."""

        def hook():
            raise error

        Mark.objects.create(label="body")
        transaction.on_commit(hook, robust=robust)
        return "value"

    def test_that_is_interrupted_gives_the_workflow_back(self):
        """Ctrl-C in a hook is the worker's: the step stands, the workflow goes on behind it; G1."""
        handle = acts_atomically.start()
        with acting(lambda: self.leave_behind(KeyboardInterrupt(), robust=False)), self.assertRaises(KeyboardInterrupt):
            run_until_idle()
        given_back = row(handle)
        run_until_idle()

        self.assertEqual(("queued", None), (given_back.status, given_back.worker))
        self.assertEqual(("value", ["before", "body", "after"]), (handle.refresh().result(), labels()))

    def test_of_a_failed_body_does_not_run(self):
        """What was rolled back announces nothing."""
        seen = []

        def body():
            transaction.on_commit(lambda: seen.append(1))
            raise LookupError

        self.run_with(body)

        self.assertEqual([], seen)


class OtherBodies(AtomicBodyTestCase):
    def test_of_plain_steps_may_do_as_they_like(self):
        """A plain body is in no transaction of the engine: it may swallow errors and commit its own blocks."""
        Unique.objects.create(label=TAKEN)

        def body():
            Mark.objects.create(label="body")
            try:
                Unique.objects.create(label=TAKEN)
            except IntegrityError:
                return "already there"

        for definition in (acts, acts_itself):
            with self.subTest(definition=definition.name):
                self.assertEqual("already there", self.run_with(body, definition).result())

    @skipUnless(connection.vendor == "postgresql", "SQLite knows no statement timeout")
    def test_that_run_into_a_timeout_of_their_own_fail(self):
        """A statement_timeout is the step's own error, not the database's absence."""

        def body():
            sql("SET LOCAL statement_timeout = 20")
            sql("SELECT pg_sleep(5)")

        handle = self.run_with(body)

        with self.assertRaises(DatabaseError):
            handle.result()
        self.assertEqual(["mark_atomically", "act_atomically"], steps(handle))
