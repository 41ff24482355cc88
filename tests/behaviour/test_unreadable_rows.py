"""Rows that other hands have written so that they cannot be read whole: in nobody's way, and never lost."""

from django.db import connection
from django.test import TestCase

from durable_django.base import registry
from durable_django.models import Worker, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.states import claim
from tests.behaviour.support import row
from tests.sample.promises import takes_order

#: What each database stores and nobody can read: a moment without an end, or a day that no calendar has.
UNREADABLE = {"postgresql": "infinity", "sqlite": "9026-02-30 12:00:00"}[connection.vendor]


def spoil(handle, column="created_at"):
    """Write a moment that cannot be read."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE durable_django_workflow SET {column} = %s WHERE id = %s", [UNREADABLE, handle.id])


class AnUnreadableRow(TestCase):
    def setUp(self):
        Worker.objects.register("w", 3600, hostname="test", pid=0)
        self.before, self.bad, self.after = (takes_order.start(number) for number in range(3))

    def claim(self, limit=10):
        names = registry.workflows.names()
        return [each.pk for each in Workflow.objects.claim("w", "default", limit, names=names)]

    def state_of_bad(self):
        return Workflow.objects.filter(pk=self.bad.id).values_list("status", "worker", "reason").get()

    def test_runs_all_the_same(self):
        """Whichever moment it is: an attempt reads none of them."""
        for column in ("created_at", "deadline", "claimed_at", "started_at"):
            with self.subTest(column=column):
                self.bad = takes_order.start(column)
                spoil(self.bad, column)

                run_until_idle()

                self.assertEqual(("succeeded", None, ""), self.state_of_bad())

    def test_stands_before_nobody(self):
        """All are claimed in the same turn, in their order."""
        spoil(self.bad)

        claimed = self.claim()

        self.assertEqual([self.before.id, self.bad.id, self.after.id], claimed)

    def test_that_is_the_only_one_stops_no_worker(self):
        """A claim of it, and the next one, are no errors."""
        Workflow._base_manager.exclude(pk=self.bad.id).delete()
        spoil(self.bad)

        first = self.claim()

        self.assertEqual(([self.bad.id], []), (first, self.claim()))

    def test_that_must_run_alone_stands_before_nobody_either(self):
        """A suspect that cannot be read keeps no other one from its turn."""
        Workflow.objects.filter(pk__in=[self.bad.id, self.after.id]).update(recoveries=3)
        spoil(self.bad)
        names = registry.workflows.names()

        found = [Workflow.objects.claim_suspect("w", "default", names=names) for _ in range(2)]

        self.assertEqual([[self.bad.id], [self.after.id]], [[each.pk for each in claimed] for claimed in found])

    def test_of_a_lost_worker_keeps_nobody_from_recovery(self):
        """Its neighbours are put back; it is paused with the reason, and its worker let go."""
        claim(self.before)
        Worker.objects.expire()
        spoil(self.bad)

        done = Workflow.objects.recover()

        self.assertEqual((2, 0), (done.recovered, Workflow.objects.recover().total))
        self.assertEqual(["queued", "queued"], [row(handle).status for handle in (self.before, self.after)])
        status, worker, reason = self.state_of_bad()
        self.assertEqual(("paused", None), (status, worker))
        self.assertIn("its row cannot be read: ", reason)

    def test_runs_when_it_is_mended_and_resumed(self):
        """Nothing of it is lost."""
        claim(self.before)
        Worker.objects.expire()
        spoil(self.bad)
        Workflow.objects.recover()
        Workflow.objects.filter(pk=self.bad.id).update(created_at="2026-01-01T00:00Z")
        row(self.bad).resume()

        run_until_idle()

        self.assertEqual("1  False", self.bad.refresh().result())
