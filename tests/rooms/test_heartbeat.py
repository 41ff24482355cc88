"""worker/heartbeat.py: a thread with its own connection extends the lease, hears the bell and times steps out."""

import threading
from unittest import mock

from django.db import OperationalError
from django.test import TransactionTestCase, override_settings

from durable_django import signals
from durable_django.engine import leasing
from durable_django.models import Worker, Workflow
from durable_django.worker.heartbeat import Heartbeat
from tests.behaviour.support import eventually
from tests.sample.promises import takes_order

QUICK = {"LEASE_SECONDS": 20, "HEARTBEAT_SECONDS": 0.05}


@override_settings(DURABLE_DJANGO=QUICK)
class AHeartbeat(TransactionTestCase):
    def setUp(self):
        self.rung = threading.Event()

    def begin(self):
        heartbeat = Heartbeat("default", self.rung.set, name="test", threads=2)
        self.addCleanup(heartbeat._thread.join, 30)
        self.addCleanup(heartbeat.stop)
        return heartbeat

    def lease(self, heartbeat):
        return Worker.objects.values_list("lease_expires_at", flat=True).get(pk=heartbeat.owner.worker_id)

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
