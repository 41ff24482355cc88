"""What looks at health and metrics cost on large tables: probes of indexes, and no read of what has ended."""

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from durable_django.models import Queue, Schedule, Worker, Workflow
from durable_django.monitoring.measures import measure
from tests.behaviour.crowds import crowd
from tests.behaviour.support import statements
from tests.behaviour.test_plans import TABLES, Plan, analyse
from tests.monitoring.support import problems


class OnALargeTable(TestCase):
    @classmethod
    def setUpTestData(cls):
        """Nearly everything has ended, and much is wrong with the rest."""
        now, hour = timezone.now(), timedelta(hours=1)
        crowd(20_000, status="succeeded", attempt=1, output="1", finished_at=now)
        crowd(3000, status="queued")
        crowd(200, status="queued", run_after=now - hour)
        crowd(50, status="queued", run_after=now + hour, waiting_for="code")
        crowd(200, status="running", worker="dead", attempt=1, deadline=now - hour)
        crowd(200, status="waiting", waiting_for="message:a", attempt=1)
        Workflow.objects.update(created_at=now - hour)
        Worker.objects.register("dead", -3600, hostname="h", pid=0)
        Worker.objects.register("w", 3600, hostname="h", pid=0)
        Queue.objects.ensure("default")
        Schedule.objects.all().delete()
        analyse(*TABLES)

    def assert_indexed(self, act, *indexes):
        """No statement of the act scans the workflow table, and these of its indexes are used."""
        with statements() as seen:
            act()
        plans = [Plan(sql) for sql in seen if "durable_django_workflow" in sql]
        for plan in plans:
            self.assertNotIn("durable_django_workflow", plan.scanned, f"{plan.sql}\n{plan.text}")
        used = set().union(*(plan.indexes for plan in plans))
        self.assertLessEqual({f"durable_workflow_{name}" for name in indexes}, used)
        return used

    def test_health_is_a_few_probes(self):
        """However many rows there are; counts stop early."""
        used = self.assert_indexed(problems, "runnable", "timer", "owned", "deadline")
        # Both of these lead to those that wait for code, and to no others.
        self.assertTrue(used & {"durable_workflow_no_code", "durable_workflow_waiting"}, used)

        found = problems()
        self.assertEqual({"queues", "leases", "deadlines", "code"}, set(found))
        self.assertIn("100+", found["leases"][0])

    def test_metrics_are_a_few_more(self):
        """Those that wait, those with a moment, and the latest."""
        self.assert_indexed(measure, "runnable", "owned", "waiting", "timer", "created")
