"""What the pages ask of the database with many rows that have ended: indexes find the others, nothing is scanned."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from durable_django.admin import workflow_list
from durable_django.models import Queue, Schedule, Step, Worker, Workflow
from tests.admin.support import AdminTestCase, url
from tests.behaviour.crowds import crowd, id_of, ids_after, multiply, rows
from tests.behaviour.test_plans import TABLES, Plan, analyse

FINISHED, FEW = 20_000, 20
WORKFLOWS = "durable_django_workflow"


class Plans(AdminTestCase):
    @classmethod
    def setUpTestData(cls):
        """Fill the table as it is after a busy month: nearly everything has ended, one of two hundred badly."""
        super().setUpTestData()
        cls.keeper = cls.staff("keeper", *[f"view_{each}" for each in ("workflow", "queue", "worker", "schedule")])
        now = timezone.now()
        ended = {"attempt": 1, "output": "1", "started_at": now}
        made = rows(FINISHED, status="succeeded", **ended)
        for number, row in enumerate(made):
            row.created_at = row.finished_at = now - timedelta(minutes=2 * number)
            if number % 200 == 0:
                row.status, row.error = "failed", '{"type":"builtins:ValueError","message":"no"}'
        Workflow.objects.bulk_create(made, batch_size=5000)
        for columns in (
            {"status": "queued"},
            {"status": "queued", "run_after": now + timedelta(days=30)},
            {"status": "queued", "run_after": now + timedelta(days=1), "waiting_for": "code"},
            {"status": "waiting", "waiting_for": "message:x"},
            {"status": "running", "worker": "w", "attempt": 1},
            {"status": "running", "worker": "gone", "attempt": 1},
            {"status": "paused"},
        ):
            crowd(FEW, **columns)
        Workflow.objects.filter(pk__in=["w-00000001", "w-00000002"]).update(parent_id="w-00000003")
        step = Step.objects.create(workflow_id=id_of(0), position=1, name="x", attempt=1)
        multiply(step, 2000, workflow_id=ids_after(0))
        Worker.objects.register("w", 3600, hostname="test", pid=0)
        Queue.objects.ensure("default", "second")
        Schedule.objects.create(name="nightly", cron="30 2 * * *", workflow="sample.takes_nothing")
        analyse(*TABLES)

    def setUp(self):
        super().setUp()
        self.client.force_login(self.keeper)
        # The table is a small one: as many of its rows are looked at as of one with millions.
        before, workflow_list.MOST_FILTERED = workflow_list.MOST_FILTERED, 1000
        self.addCleanup(setattr, workflow_list, "MOST_FILTERED", before)

    def assert_indexed(self, address, *indexes):
        """The page uses these indexes, and scans the workflows in none of its queries."""
        with CaptureQueriesContext(connection) as queries:
            self.assertEqual(200, self.client.get(address).status_code)
        self.assertLessEqual(len(queries), 12)
        asked = [query["sql"] for query in queries.captured_queries if WORKFLOWS in query["sql"]]
        plans = [Plan(sql) for sql in asked if sql.startswith("SELECT")]
        for plan in plans:
            self.assertNotIn(WORKFLOWS, plan.scanned, f"{plan.sql}\n{plan.text}")
        used = set().union(*(plan.indexes for plan in plans))
        for index in indexes:
            self.assertTrue(any(each.startswith(index) for each in used), f"{address} uses {used}, not {index}")

    def of_list(self, query):
        return f"{url('workflow', 'changelist')}?{query}"

    def test_of_the_overview(self):
        """Every number has its index."""
        self.assert_indexed(
            "/admin/durable_django/overview/", "durable_workflow_finished", "durable_workflow_runnable",
            "durable_workflow_created", "durable_workflow_owned", "durable_workflow_timer",
            "durable_workflow_waiting", "durable_workflow_paused",
        )  # fmt: skip

    def test_of_the_failures(self):
        """The newest ends of those that failed."""
        self.assert_indexed("/admin/durable_django/overview/failures/", "durable_workflow_finished")

    def test_of_filters_by_status(self):
        """Each by its own partial index."""
        for status, index in (
            ("queued", "durable_workflow_runnable"),
            ("running", "durable_workflow_owned"),
            ("waiting", "durable_workflow_waiting"),
            ("paused", "durable_workflow_paused"),
            ("failed", "durable_workflow_finished"),
            ("cancelled", "durable_workflow_finished"),
            ("succeeded", "durable_workflow_created"),
        ):
            self.assert_indexed(self.of_list(f"status__exact={status}"), index)

    def test_of_other_filters(self):
        """What links of the other pages lead to."""
        for query, index in (
            ("attention=stalled", "durable_workflow_owned"),
            # Or durable_workflow_no_code, which costs the same.
            ("attention=codeless", "durable_workflow_"),
            ("attention=late", "durable_workflow_runnable"),
            ("worker=w", "durable_workflow_owned"),
            ("parent=w-00000003", "durable_workflow_parent"),
            ("finished=1h", "durable_workflow_finished"),
            ("status__exact=failed&finished=24h", "durable_workflow_finished"),
            ("workflow=sample.retried", "durable_workflow_created"),
            ("version=x", "durable_workflow_created"),
            ("q=sample.retr", "durable_workflow_created"),
            ("q=sample.retr&version=x", "durable_workflow_created"),
            ("q=w-&version=x", "durable_workflow_"),
            ("error_type=builtins:ValueError", "durable_workflow_finished"),
        ):
            self.assert_indexed(self.of_list(query), index)

    def test_of_the_other_pages(self):
        """Queues, workers and schedules, and what they show of workflows."""
        schedule = Schedule.objects.get(name="nightly").pk
        for model, key in (("queue", "default"), ("worker", "w"), ("schedule", schedule)):
            self.assert_indexed(url(model, "changelist"))
            self.assert_indexed(url(model, "change", key))
