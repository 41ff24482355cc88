"""Workflows that wait, while workers die, listeners are cut off and answers are lost: nobody sleeps for ever."""

from __future__ import annotations

from unittest import skipUnless

from django.db import connection, transaction

import durable_django as durable
from durable_django import Message
from durable_django.models import Message as MessageRow
from durable_django.models import Worker, Workflow
from tests.crashes.harness import CrashTestCase, is_postgresql, wait_until
from tests.crashes.proxy import Session
from tests.crashes.test_lost_answers import COMMIT, STEP, ProxyTestCase
from tests.sample import talking

RECEIVED = 'UPDATE "durable_django_message" SET "received_at"'
SUSPENDED = 'UPDATE "durable_django_workflow" SET "status" = \'waiting\''
SENT = 'INSERT INTO "durable_django_message"'


def wait_until_waiting(*handles) -> None:
    rows = Workflow.objects.filter(pk__in=[handle.id for handle in handles], status="waiting")
    wait_until(lambda: rows.count() == len(handles), "the workflows wait")


class AHundredThatWait(CrashTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start_worker(
            "--threads", "2", settings={"LEASE_SECONDS": 60, "HEARTBEAT_SECONDS": 0.5, "POLL_SECONDS": 120}
        )
        self.handles = talking.receives.start_many(("", None) for _ in range(100))
        wait_until_waiting(*self.handles)

    def send_to_all(self) -> None:
        durable.send_many(Message(handle.id, number) for number, handle in enumerate(self.handles))

    def test_leave_two_threads_to_others(self):
        """A workflow that waits costs a row, not a thread."""
        other = talking.publishes.start("a", 1)

        self.assertIsNone(other.result(timeout=30))
        self.assertEqual(100, Workflow.objects.waiting().filter(worker__isnull=True).count())

    def test_are_woken_well_before_the_next_poll(self):
        """One ring for all."""
        self.send_to_all()
        self.wait_for_end()

        self.assertEqual(list(range(100)), [handle.result() for handle in self.handles])

    @skipUnless(is_postgresql(), "SQLite has no session that could be ended")
    def test_are_woken_though_the_listener_was_terminated(self):
        """E2: it comes back by itself, and looks for what it did not hear."""
        (before,) = Worker.objects.alive()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        self.send_to_all()
        self.wait_for_end()

        self.assertEqual(list(range(100)), [handle.result() for handle in self.handles])
        (after,) = Worker.objects.alive()
        self.assertEqual(before.pk, after.pk)


class ASleeper(CrashTestCase):
    def test_outlives_its_worker(self):
        """C17: one is killed, another one wakes it at the moment that was recorded; a third one later than that."""
        handle, late = talking.sleeps.start(4.0), talking.sleeps.start(2.0)
        victim = self.start_worker()
        wait_until_waiting(handle, late)
        wakes_at = handle.refresh().workflow.run_after
        victim.kill_all()
        wait_until(lambda: Workflow.objects.due().filter(pk=late.id).exists(), "the moment of one has passed")

        self.start_worker()

        self.assertEqual(["after"] * 2, [each.result(timeout=60) for each in (handle, late)])
        (step,) = handle.workflow.steps.filter(name="sleep")
        self.assertGreaterEqual(step.finished_at, wakes_at)
        self.assert_made_twice("before", "after")

    def assert_made_twice(self, *labels: str) -> None:
        found = self.marks()
        self.assertEqual(dict.fromkeys(labels, 2), {label: found[label] for label in labels})


class AReceiverWhoseMailIsHeldUp(CrashTestCase):
    @skipUnless(is_postgresql(), "SQLite has one writer: it waits for its turn, as everybody does")
    def test_waits_awake(self):
        """A sender holds its row until it commits: the worker asks again and again, and could shut down meanwhile."""
        handle = talking.receives.start("", None)
        with transaction.atomic():
            durable.send(handle.id, 1)
            worker = self.start_worker()
            other = talking.publishes.using(id="other").start("a", 1)
            transaction.on_commit(lambda: None)
        self.assertEqual(1, handle.result(timeout=30))
        self.assertIsNone(other.result(timeout=30))
        self.assertEqual(0, worker.stop())


class AnAnswerThatIsLost(ProxyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start_behind_proxy()

    def test_of_a_receive_consumes_one_message(self):
        """E5: the recorded one is taken, the next one stays; no wait is begun anew, whether it waited before or not."""
        for has_waited in (False, True):
            handle = talking.receives.using(delay=None if has_waited else 3600).start("", None)
            if has_waited:
                wait_until_waiting(handle)
            sprung = self.proxy.on(RECEIVED, COMMIT, after=Session.cut)
            if has_waited:
                durable.send(handle.id, 1)
            else:
                durable.send_many(Message(handle.id, number) for number in (1, 2))
                Workflow.objects.filter(pk=handle.id).update(run_after=None)
            with self.subTest(has_waited=has_waited):
                self.assertEqual(1, handle.result(timeout=30))
                self.assertTrue(sprung.is_set())
                self.assertEqual(1, MessageRow.objects.filter(workflow=handle.id, received_at__isnull=False).count())

    def test_of_a_suspension_leaves_it_suspended(self):
        """The row waits, and is woken as ever."""
        sprung = self.proxy.on(SUSPENDED, COMMIT, after=Session.cut)
        handle = talking.receives.start("", None)
        self.assertTrue(sprung.wait(30))
        wait_until_waiting(handle)

        durable.send(handle.id, 1)

        self.assertEqual(1, handle.result(timeout=30))

    def test_of_a_send_sends_once(self):
        """The record is found with the message."""
        handle = talking.receives_many.start(2)
        wait_until_waiting(handle)
        sprung = self.proxy.on(SENT, STEP, COMMIT, after=Session.cut)

        sender = talking.sends.start(handle.id, 1, 2)

        self.assertEqual([1, 2], handle.result(timeout=30))
        self.assertIsNone(sender.result(timeout=30))
        self.assertTrue(sprung.is_set())
        self.assertEqual(2, MessageRow.objects.count())
