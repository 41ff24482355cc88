"""What the page of a workflow asks of the database: at most twelve queries, however much there is."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from durable_django import Rate
from durable_django.models import Operation, Queue, Worker, Workflow
from durable_django.models.operation import Change
from tests.admin.support import AdminTestCase
from tests.admin.test_workflow_page import crowd, finished

BUDGET = 12


class ThePage(AdminTestCase):
    def setUp(self):
        super().setUp()
        finished("w1")
        finished("plain")
        Queue.objects.ensure("default")

    def test_costs_a_bounded_number_of_queries(self):
        """With a thousand steps, children, messages, forks, events and entries of streams, and with operations."""
        crowd("w1", 1000)
        Operation.objects.record([Change("w1")] * 20, verb="pause", object_kind="workflow")
        Queue.objects.edit(partitioned=True, partition_concurrency=5, concurrency=100)
        Worker.objects.register("worker-1", 60, hostname="here", pid=1)
        Workflow.objects.filter(pk="plain").update(worker="worker-1")

        for status in ("succeeded", "queued", "running", "waiting", "paused"):
            worker = None if status == "queued" else "worker-1"
            Workflow.objects.filter(pk="w1").update(status=status, worker=worker, waiting_for="*", attempt=1)
            with CaptureQueriesContext(connection) as queries:
                page = self.page("w1")
            self.assertLessEqual(len(queries), BUDGET, status)
            self.assertContains(page, "800 earlier steps are not shown.")
            self.assertContains(page, "What operators did")
        with self.assertNumQueries(7):
            self.page("plain")

    def test_costs_no_more_where_most_is_to_be_asked(self):
        """A fork that has never run, on a queue with every limit, with mail and forks of its own; a retry; a wait."""
        crowd("w1", 10)
        Operation.objects.record([Change("w1")] * 20, verb="pause", object_kind="workflow")
        Queue.objects.edit(
            partitioned=True, concurrency=100, rate=Rate(100, 60), partition_concurrency=5, partition_rate=Rate(50, 60)
        )
        later = timezone.now() + timedelta(hours=1)
        for changes in (
            {"status": "queued", "attempt": 0, "forked_from_id": "plain", "partition_key": "a"},
            {"status": "queued", "attempt": 1, "run_after": later},
            {"status": "waiting", "waiting_for": "*", "run_after": later},
            {"status": "running", "worker": "gone"},
        ):
            Workflow.objects.filter(pk="w1").update(**{"worker": None, "run_after": None, **changes})
            with CaptureQueriesContext(connection) as queries:
                page = self.page("w1")

            self.assertLessEqual(len(queries), BUDGET, changes)
            for text in ("What operators did", "Messages"):
                self.assertContains(page, text)
