"""worker/janitor.py: recovery, deadlines, dead neighbours; any number of janitors, none of them leads."""

import os
from datetime import timedelta
from unittest import mock

from django.db import OperationalError
from django.db.models import ProtectedError
from django.test import TestCase, override_settings
from django.utils import timezone

from durable_django.base import clock, hosts
from durable_django.engine.ownership import Ownership
from durable_django.models import Worker, Workflow, retention
from durable_django.testing import travel
from durable_django.worker.janitor import Janitor
from durable_django.worker.looks import Look
from tests.behaviour.retaining import ended
from tests.behaviour.states import claim
from tests.behaviour.support import row, statements, waiting
from tests.sample.branching import awaits_end_of, waiting_child
from tests.sample.promises import takes_order

NOBODY = 2**22 + 7


class JanitorTestCase(TestCase):
    def setUp(self):
        self.now = 1000.0
        for patched in (
            mock.patch.object(clock, "elapsed_seconds", lambda: self.now),
            mock.patch.object(hosts, "host", return_value={"hostname": "h", "boot_id": "b", "pid_namespace": "n"}),
        ):
            patched.start()
            self.addCleanup(patched.stop)
        self.janitor = Janitor("default")
        self.owner = Ownership("me")

    def tidy(self, **found):
        return self.janitor.tidy(Look(**found), self.owner)

    def neighbour(self, pid=NOBODY, started_at="4711"):
        """Register a worker of this machine."""
        return Worker.objects.register("neighbour", 3600, **hosts.host(), pid=pid, process_started_at=started_at)


class AJanitor(JanitorTestCase):
    def test_does_what_the_look_has_shown(self):
        """Orphans are put back, overdue ones end; the number of both is told."""
        orphan, overdue = takes_order.start(1), takes_order.using(timeout=5).start(2)
        claim(orphan)
        Worker.objects.expire()
        with travel(seconds=6):
            changed = self.tidy(has_orphans=True, has_overdue=True)

        self.assertEqual("queued", row(orphan).status)
        self.assertEqual("cancelled", row(overdue).status)
        self.assertEqual(3, changed)

    def test_does_nothing_for_nothing(self):
        """No orphan, no deadline: only neighbours and code are looked at now and then."""
        self.tidy()
        with statements() as seen:
            changed = self.tidy()

        self.assertEqual((0, []), (changed, seen))

    def test_looks_now_and_then_for_those_who_wait_in_vain(self):
        """For workflows that other hands have deleted; not in every turn, and not all workers at once."""
        waiting_for_nobody = waiting(awaits_end_of, waiting(waiting_child).id)
        others = Workflow.objects.exclude(pk=waiting_for_nobody.id)
        others._raw_delete(others.db)
        before = self.tidy(), row(waiting_for_nobody).status
        self.now += 450
        after = self.tidy(), row(waiting_for_nobody).status
        again = self.tidy()

        self.assertEqual(((0, "waiting"), (1, "queued"), 0), (before, after, again))

    def test_may_run_twice(self):
        """A second sweep over the same finds nothing: sweeps are idempotent, and two janitors do no harm."""
        handle = takes_order.start(1)
        claim(handle)
        Worker.objects.expire()
        first = self.tidy(has_orphans=True)
        again = self.tidy(has_orphans=True)
        other = Janitor("default").tidy(Look(has_orphans=True), Ownership("other"))

        self.assertEqual((1, 0, 0), (first, again, other))
        self.assertEqual(("queued", 1), (row(handle).status, row(handle).recoveries))

    def test_takes_up_what_waited_for_code(self):
        """At once at its first turn, then every few seconds."""
        handle = takes_order.start(1)
        Workflow.objects.update(waiting_for="code", run_after="2090-01-01T00:00Z")

        changed = self.tidy()

        self.assertEqual((1, "", None), (changed, row(handle).waiting_for, row(handle).run_after))

    @override_settings(DURABLE_DJANGO={"LEASE_SECONDS": 1, "HEARTBEAT_SECONDS": 0.5})
    def test_forgets_workers_that_died_long_ago(self):
        """Their rows are of no use any more; recent ones can still be looked at."""
        Worker.objects.register("old", 1, hostname="h", pid=1)
        with travel(hours=1):
            Worker.objects.register("new", 1, hostname="h", pid=1)
            self.janitor.forget_old_workers()

        self.assertEqual(["new"], list(Worker.objects.values_list("pk", flat=True)))


class Retention(JanitorTestCase):
    def setUp(self):
        super().setUp()
        self.tidy()
        ended(5, at=timezone.now() - timedelta(days=40))
        patched = mock.patch.object(retention, "BATCH", 2)
        patched.start()
        self.addCleanup(patched.stop)

    def bare_after(self, seconds):
        """Return how many are bare after a turn so much later."""
        self.now += seconds
        self.assertEqual(0, self.tidy())
        return Workflow.objects.filter(is_bare=True).count()

    def test_is_looked_after_every_some_minutes(self):
        """An idle worker asks nothing about it in between, and not all workers ask at once."""
        with statements() as seen:
            before = self.bare_after(100)
        later = [self.bare_after(seconds) for seconds in (350, 1, 1)]

        self.assertFalse([sql for sql in seen if "retention_seconds" in sql])
        self.assertEqual((0, [2, 4, 5]), (before, later))

    def test_goes_on_batch_by_batch(self):
        """With a rest for other work, at least nine times as long as the batch took."""
        self.bare_after(450)
        soon, later = self.bare_after(0.1), self.bare_after(0.11)

        self.assertEqual((2, 4), (soon, later))

    def test_rests_for_minutes_at_the_end(self):
        """When nothing is due any more."""
        counts = [self.bare_after(seconds) for seconds in (450, 1, 1, 1)]
        ended(1, at=timezone.now() - timedelta(days=40))

        self.assertEqual(([2, 4, 5, 5], 5, 6), (counts, self.bare_after(100), self.bare_after(350)))

    def test_begins_anew_after_an_error(self):
        """The database was away in the middle of a batch."""
        self.bare_after(450)
        with (
            mock.patch.object(retention, "_delete_owned", side_effect=OperationalError("away")),
            self.assertRaises(OperationalError),
        ):
            self.bare_after(1)

        self.assertEqual([4, 5], [self.bare_after(seconds) for seconds in (450, 1)])

    def test_stands_in_nobodys_way_with_an_error(self):
        """A row that cannot be deleted, whatever the reason, fails one turn in some minutes, not every one."""
        with mock.patch.object(retention, "_delete_owned", side_effect=ProtectedError("kept by others", set())):
            with self.assertRaises(ProtectedError):
                self.bare_after(450)

            self.assertEqual([0, 0], [self.bare_after(seconds) for seconds in (1, 100)])


class ANeighbour(JanitorTestCase):
    def test_whose_process_is_gone_loses_its_lease_at_once(self):
        """And what it held is recovered in the same turn: nobody waits for the lease to run out."""
        self.neighbour()
        handle = takes_order.start(1)
        claim(handle, "neighbour")

        changed = self.tidy()

        self.assertFalse(Worker.objects.alive().exists())
        self.assertEqual("queued", row(handle).status)
        self.assertGreaterEqual(changed, 1)

    def test_that_lives_is_left_alone(self):
        """Its process is there, with the start time that it registered."""
        self.neighbour()
        with mock.patch.object(hosts, "process_started_at", return_value="4711"):
            self.tidy()

        self.assertTrue(Worker.objects.alive().exists())

    def test_whose_number_another_process_has_is_gone(self):
        """Process numbers are used again; the start time differs; B9."""
        self.neighbour()
        with mock.patch.object(hosts, "process_started_at", return_value="4712"):
            self.tidy()

        self.assertFalse(Worker.objects.alive().exists())

    def test_that_is_hidden_is_judged_by_its_lease_alone(self):
        """Where /proc hides the processes of other users (hidepid), a worker of another user need not be dead."""
        self.neighbour()
        handle = takes_order.start(1)
        claim(handle, "neighbour")
        with mock.patch.object(hosts, "_stat", return_value=[]), mock.patch("os.kill", side_effect=PermissionError):
            self.tidy()

        self.assertTrue(Worker.objects.alive().exists())
        self.assertEqual("running", row(handle).status)

    def test_of_another_machine_is_judged_by_its_lease_alone(self):
        """Nor one of another boot or container, nor one that tells no start time."""
        for number, changes in enumerate(
            ({"hostname": "x"}, {"boot_id": "x"}, {"pid_namespace": "x"}, {"process_started_at": ""})
        ):
            facts = {**hosts.host(), "process_started_at": "4711", **changes}
            Worker.objects.register(f"w{number}", 3600, pid=NOBODY, **facts)

        self.tidy()

        self.assertEqual(4, Worker.objects.alive().count())

    def test_that_is_this_very_process_is_left_alone(self):
        """Plain calls of this process have a row too."""
        self.neighbour(pid=os.getpid(), started_at=hosts.process_started_at(os.getpid()))
        self.tidy()

        self.assertTrue(Worker.objects.alive().exists())

    def test_that_had_the_number_of_this_process_is_gone(self):
        """In a container that was started again, every process may have the number that it had before."""
        self.neighbour(pid=os.getpid())
        self.tidy()

        self.assertFalse(Worker.objects.alive().exists())

    def test_is_never_this_worker_itself(self):
        """Whatever its row says: it lives, or it would not ask."""
        self.owner.worker_id = self.neighbour().pk
        self.tidy()

        self.assertTrue(Worker.objects.alive().exists())

    def test_cannot_be_seen_where_the_system_does_not_tell(self):
        """Without a boot id nobody is declared dead by sight."""
        self.neighbour()
        with mock.patch.object(hosts, "host", return_value={"hostname": "h", "boot_id": "", "pid_namespace": ""}):
            self.tidy()

        self.assertTrue(Worker.objects.alive().exists())

    def test_is_read_from_time_to_time(self):
        """Its process is looked at in every turn, the list of rows every few seconds."""
        self.tidy()
        self.neighbour()
        self.tidy()
        soon = Worker.objects.alive().exists()
        self.now += 10
        self.tidy()

        self.assertEqual((True, False), (soon, Worker.objects.alive().exists()))
