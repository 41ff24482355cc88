"""worker/heartbeat.py: a thread with its own connection extends the lease, hears the bell and times steps out."""

import threading
from unittest import mock, skipUnless

import psycopg
from django.db import OperationalError, connection, transaction
from django.test import TransactionTestCase, override_settings

from durable_django import signals, step, workflow
from durable_django.base import registry
from durable_django.engine import attempts, leasing, retrying
from durable_django.models import Step, Worker, Workflow
from durable_django.worker.heartbeat import Heartbeat
from tests.behaviour.support import acting, eventually, row
from tests.sample.promises import Here, takes_order

QUICK = {"LEASE_SECONDS": 20, "HEARTBEAT_SECONDS": 0.05}


@override_settings(DURABLE_DJANGO=QUICK)
class HeartbeatTestCase(TransactionTestCase):
    def setUp(self):
        self.rung = threading.Event()

    def begin(self):
        heartbeat = Heartbeat("default", self.rung.set, name="test", threads=2)
        self.addCleanup(heartbeat._thread.join, 30)
        self.addCleanup(heartbeat.stop)
        return heartbeat

    def lease(self, heartbeat):
        return Worker.objects.values_list("lease_expires_at", flat=True).get(pk=heartbeat.owner.worker_id)


class AHeartbeat(HeartbeatTestCase):
    def test_registers_the_process(self):
        """A row with a random id, host, process and what it was told."""
        row = Worker.objects.get(pk=self.begin().owner.worker_id)

        self.assertEqual(("test", 2), (row.name, row.threads))
        self.assertTrue(row.hostname)
        self.assertTrue(Worker.objects.alive().filter(pk=row.pk).exists())

    def test_extends_the_lease_again_and_again(self):
        """In the row, and by the process's own clock."""
        heartbeat = self.begin()
        first = self.lease(heartbeat)

        eventually(lambda: self.lease(heartbeat) > first, "the lease was extended")
        self.assertFalse(heartbeat.owner.has_passed())

    def test_hears_that_an_operator_drains_the_process(self):
        """The row says from then on that it claims nothing more; the lease stands, under another id, too."""
        heartbeat = self.begin()
        Worker.objects.drain()

        eventually(lambda: Worker.objects.filter(is_draining=True).exists(), "the row says so")
        self.assertTrue(heartbeat.owner.leaving.is_set())
        self.assertFalse(heartbeat.owner.draining.is_set())
        lost = heartbeat.owner
        Worker.objects.filter(pk=lost.worker_id).expire()
        eventually(lambda: heartbeat.owner is not lost, "the process registered anew")
        self.assertFalse(heartbeat.owner.is_claiming)

    def test_hears_so_though_it_was_frozen_meanwhile(self):
        """Its lease passed before it could look: the new row is as little for claims as the old one."""
        heartbeat = self.begin()
        lost = heartbeat.owner
        Worker.objects.drain()
        lost.leaving.clear()
        lost.lose()

        eventually(lambda: heartbeat.owner is not lost, "the process registered anew")
        self.assertFalse(heartbeat.owner.is_claiming)

    def test_that_begins_anew_is_not_lost(self):
        """The database was away, or the process frozen for a moment: nobody is alarmed about it."""
        heartbeat = self.begin()
        lost = heartbeat.owner
        Worker.objects.filter(pk=lost.worker_id).expire()

        eventually(lambda: heartbeat.owner is not lost, "the process registered anew")
        self.assertFalse(Worker.objects.lost().exists())

    def test_begins_anew_when_the_lease_was_lost(self):
        """Under another id; what was held is left to whoever recovers it."""
        heartbeat = self.begin()
        lost = heartbeat.owner
        Worker.objects.filter(pk=lost.worker_id).expire()

        eventually(lambda: heartbeat.owner is not lost, "the process registered anew")
        self.assertTrue(lost.has_passed())
        self.assertNotEqual(lost.worker_id, heartbeat.owner.worker_id)
        eventually(self.rung.is_set, "the loop was told")

    def test_goes_on_draining_under_the_new_id(self):
        """A shutdown is one of the process, not of the lease."""
        heartbeat = self.begin()
        lost = heartbeat.owner
        lost.draining.set()
        Worker.objects.filter(pk=lost.worker_id).expire()

        eventually(lambda: heartbeat.owner is not lost, "the process registered anew")
        self.assertTrue(heartbeat.owner.draining.is_set())

    def test_outlives_an_absent_database(self):
        """It says so, and tries again until the database answers."""
        heard = []

        def hear(what, **_facts):
            heard.append(what)

        signals.database_away.connect(hear)
        self.addCleanup(signals.database_away.disconnect, hear)
        heartbeat = self.begin()
        with mock.patch.object(leasing, "beat", side_effect=OperationalError("gone")):
            eventually(lambda: heard, "the failure was told")
        first = self.lease(heartbeat)

        eventually(lambda: self.lease(heartbeat) > first, "the lease was extended")
        self.assertTrue(heartbeat.is_alive)
        self.assertEqual("keep the lease", heard[0])

    def test_hears_the_bell(self):
        """A start elsewhere wakes the loop."""
        self.begin()
        eventually(lambda: not self.rung.wait(0.2) or self.rung.clear(), "it was silent")
        takes_order.start(7)

        eventually(self.rung.is_set, "the bell was heard")
        self.assertTrue(Workflow.objects.exists())

    def test_gives_the_lease_up_when_it_stops(self):
        """What the process may still hold is recovered at once."""
        heartbeat = self.begin()
        heartbeat.stop()
        heartbeat._thread.join(30)

        self.assertFalse(heartbeat.is_alive)
        self.assertTrue(heartbeat.owner.has_passed())
        self.assertFalse(Worker.objects.alive().exists())


class Watched:
    """A call of a step, past its timeout from the beginning."""

    timeout_seconds = 0


def row_is_held():
    """Return what the database says of a row that somebody else has locked, or takes too long to give."""
    error = OperationalError("could not obtain lock on row")
    error.__cause__ = psycopg.errors.LockNotAvailable("could not obtain lock on row")
    return error


class ACallPastItsTimeout(HeartbeatTestCase):
    """The thread has ended, so that the test does what it does."""

    def setUp(self):
        super().setUp()
        self.heartbeat = self.begin()
        self.heartbeat.stop()
        self.timeouts = self.heartbeat.owner.timeouts

    def glance(self, **answer):
        """Look once at the calls past their timeout. Return those that were to be recorded."""
        with mock.patch.object(retrying, "time_out", **answer) as time_out:
            self.heartbeat._time_out_steps()
        return [each.args[0] for each in time_out.call_args_list]

    def test_is_recorded_once(self):
        """Its workflow is runnable again, which the loop is told."""
        call = Watched()
        with self.timeouts.watching(call):
            self.rung.clear()
            first, again = self.glance(return_value=True), self.glance(return_value=True)

            self.assertEqual(([call], [], 1), (first, again, self.timeouts.late))
        self.assertTrue(self.rung.is_set())
        self.assertEqual(0, self.timeouts.late)

    def test_that_came_first_is_forgotten(self):
        """Its own outcome stands, and its thread is not held up."""
        call = Watched()
        with self.timeouts.watching(call):
            self.rung.clear()
            first, again = self.glance(return_value=False), self.glance(return_value=False)

            self.assertEqual(([call], [], 0), (first, again, self.timeouts.late))
        self.assertFalse(self.rung.is_set())

    def test_whose_row_is_held_is_asked_for_again(self):
        """The others are recorded meanwhile."""
        held, other = Watched(), Watched()
        with self.timeouts.watching(held), self.timeouts.watching(other):
            first = self.glance(side_effect=lambda call: self.refuse(call, held))
            again = self.glance(return_value=True)

        self.assertEqual(({held, other}, [held]), (set(first), again))

    def refuse(self, call, held):
        if call is held:
            raise row_is_held()
        return True

    def test_leads_to_no_haste(self):
        """While it cannot be recorded the thread waits between two tries, as it does without one."""
        with self.timeouts.watching(Watched()):
            self.glance(side_effect=row_is_held())

            self.assertGreater(self.heartbeat._seconds_to_wait(), 0.01)

    def test_waits_for_the_writer_of_this_process(self):
        """On SQLite nobody can write while it is held; an attempt would keep the heartbeat from what it is for."""
        call = Watched()
        with self.timeouts.watching(call):
            with self.heartbeat.owner.hold():
                meanwhile = self.glance(return_value=True)
            afterwards = self.glance(return_value=True)

        self.assertEqual(([], [call]), (meanwhile, afterwards))

    def test_that_the_database_does_not_answer_for_goes_up(self):
        """Then it is the connection of the heartbeat that needs care; the call stays watched."""
        call = Watched()
        with self.timeouts.watching(call):
            with self.assertRaises(OperationalError):
                self.glance(side_effect=OperationalError("server closed the connection"))

            self.assertEqual([call], self.timeouts.due())


@step(timeout=0.01)
def overlong():
    return Here.act()


@workflow
def takes_overlong():
    return overlong()


class AStepPastItsTimeout(HeartbeatTestCase):
    def run_with(self, body):
        """Run a step past its timeout under a heartbeat. The body is given the heartbeat."""
        heartbeat = self.begin()
        handle = takes_overlong.start()
        (workflow,) = Workflow.objects.claim(heartbeat.owner.worker_id, "default", 1, names=registry.workflows.names())
        with acting(lambda: body(heartbeat)):
            attempts.attempt(workflow, heartbeat.owner, "default")
        return handle

    def test_is_recorded_while_it_still_runs(self):
        """By the heartbeat's own thread."""
        handle = self.run_with(lambda _heartbeat: eventually(lambda: Step.objects.exists(), "the timeout was recorded"))

        self.assertEqual(("failed", "queued"), (Step.objects.get().state, row(handle).status))

    @skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
    def test_whose_row_is_held_keeps_no_heartbeat_waiting(self):
        """The lease is extended all the while; the timeout is recorded when the row is free."""
        beats = []

        def body(heartbeat):
            with transaction.atomic():
                Workflow.objects.select_for_update().get()
                for _ in range(3):
                    before = self.lease(heartbeat)
                    eventually(lambda before=before: self.lease(heartbeat) > before, "the lease was extended")
                    beats.append(Step.objects.count())
            eventually(lambda: Step.objects.exists(), "the timeout was recorded")

        handle = self.run_with(body)

        self.assertEqual([0, 0, 0], beats)
        self.assertEqual(("failed", "queued"), (Step.objects.get().state, row(handle).status))
