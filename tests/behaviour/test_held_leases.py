"""The lease while an atomic step runs: held by the step itself on SQLite alone, where nobody else can write."""

from unittest import mock, skipUnless

from django.db import connection
from django.test import TransactionTestCase

from durable_django.base import clock
from durable_django.engine import attempts, context
from durable_django.engine.ownership import Ownership
from durable_django.models import Worker, Workflow
from tests.behaviour.states import claim
from tests.behaviour.support import acting, labels, row, steps
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_atomically

LEASE_SECONDS = 30
IS_SQLITE = connection.vendor == "sqlite"


class HeldLeaseTestCase(TransactionTestCase):
    def setUp(self):
        self.seconds = 0.0
        read = clock.elapsed_seconds
        self.enterContext(mock.patch.object(clock, "elapsed_seconds", lambda: read() + self.seconds))
        self.owner = Ownership("w", LEASE_SECONDS)

    def run_with(self, body, definition):
        handle = definition.start()
        workflow = claim(handle, "w")
        with acting(body):
            attempts.attempt(workflow, self.owner, "default")
        return handle

    def outlive_the_lease(self):
        """Let time go by in which no heartbeat was written."""
        self.seconds += 2 * LEASE_SECONDS


class AnAtomicStep(HeldLeaseTestCase):
    def test_holds_the_lease_on_sqlite_alone(self):
        """Elsewhere others can write meanwhile, and may well take over."""
        seen = []

        self.run_with(lambda: seen.append((self.owner.is_holding, context.current_step().name)), acts_atomically)

        self.assertEqual([(IS_SQLITE, "act_atomically")], seen)
        self.assertFalse(self.owner.is_holding)

    def test_that_is_plain_holds_nothing(self):
        """Its body is in no transaction of the engine."""
        seen = []

        self.run_with(lambda: seen.append(self.owner.is_holding), acts)

        self.assertEqual([False], seen)

    def test_gives_up_its_hold_when_it_fails(self):
        """However it ends."""
        self.run_with(lambda: 1 / 0, acts_atomically)

        self.assertFalse(self.owner.is_holding)

    def test_that_outlives_the_lease_keeps_it_on_sqlite_alone(self):
        """Its own transaction extends the lease there; elsewhere the heartbeat would have, and no step follows."""
        Worker.objects.register("w", LEASE_SECONDS, hostname="test", pid=0)
        before = Worker.objects.get().lease_expires_at
        handle = self.run_with(self.outlive_the_lease, acts_atomically)

        self.assertEqual(["before", "after"] if IS_SQLITE else ["before"], labels())
        self.assertEqual("succeeded" if IS_SQLITE else "running", row(handle).status)
        self.assertEqual(IS_SQLITE, Worker.objects.get().lease_expires_at > before)


@skipUnless(IS_SQLITE, "elsewhere nobody waits for the one writer of the file")
class AnAtomicStepThatHasToWaitForTheWriter(HeldLeaseTestCase):
    def run_with_begin(self, meanwhile):
        """Run with something that happens while BEGIN of the second step waits."""
        begun, called = [], []

        def watch(execute, sql, params, many, context):
            if sql.startswith("BEGIN") and self.owner.held:
                begun.append(sql)
                if len(begun) == 2:
                    meanwhile()
            return execute(sql, params, many, context)

        def body():
            called.append(1)
            Mark.objects.create(label="body")

        with connection.execute_wrapper(watch):
            handle = self.run_with(body, acts_atomically)
        return handle, called

    def assert_not_begun(self, meanwhile):
        handle, called = self.run_with_begin(meanwhile)

        self.assertEqual(([], ["before"], ["mark_atomically"]), (called, labels(), steps(handle)))
        self.assertTrue(self.owner.has_strays.is_set())
        self.assertEqual("running", row(handle).status)

    def test_longer_than_its_lease_does_not_begin(self):
        """Whoever had the writer may have been the one who took over: the body is not called."""
        self.assert_not_begun(self.outlive_the_lease)

    def test_until_its_lease_was_lost_does_not_begin(self):
        """Its hold comes too late: lost is lost."""
        self.assert_not_begun(self.owner.lose)

    def test_for_a_while_begins(self):
        """A short wait does no harm."""
        handle, called = self.run_with_begin(lambda: None)

        self.assertEqual(([1], "succeeded"), (called, row(handle).status))
        self.assertEqual(["before", "body", "after"], labels())
        self.assertEqual(1, Workflow.objects.get().attempt)
