"""Query plans: a million finished rows, or a hundred thousand sleeping ones, stand before no claim."""

import json
import re
from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.utils import timezone

from durable_django.base import registry
from durable_django.models import Queue, Step, Worker, Workflow
from durable_django.worker.looks import look
from tests.behaviour.crowds import crowd, id_of, ids_after, multiply
from tests.behaviour.support import statements

NAMES = registry.workflows.names
FINISHED, QUEUED, LATER = 20_000, 2_000, 2_000
#: SQLite keeps a unique constraint under a name of its own.
STEP_KEY = "durable_step_key" if connection.vendor == "postgresql" else "sqlite_autoindex_durable_django_step_1"
TABLES = ("durable_django_workflow", "durable_django_worker", "durable_django_step", "durable_django_queue")


def analyse(*tables):
    """
    Let the planner know what the tables hold now.

    Rows that tests before have rolled back still fill indexes, which then seem to cost more than to read a table.
    """
    with connection.cursor() as cursor:
        for table in tables:
            if connection.vendor == "postgresql":
                cursor.execute(f"REINDEX TABLE {table}")
            cursor.execute(f"ANALYZE {table}")


class Plan:
    """The plan of one statement: its text, and what it does to each table."""

    def __init__(self, sql):
        self.sql = sql
        explain = self._postgresql if connection.vendor == "postgresql" else self._sqlite
        self.text, self.indexes, self.scanned = explain()

    def _explain(self, how):
        with connection.cursor() as cursor:
            # The statement has its values in it already: without parameters percent signs stand for themselves.
            cursor.execute(f"{how} {self.sql}", None)
            return cursor.fetchall()

    def _postgresql(self):
        (found,) = self._explain("EXPLAIN (FORMAT JSON)")[0]
        plan = json.loads(found) if isinstance(found, str) else found
        indexes, scanned = set(), set()
        self._walk(plan[0]["Plan"], indexes, scanned)
        return json.dumps(plan, indent=1), indexes, scanned

    def _walk(self, node, indexes, scanned):
        if "Index Name" in node:
            indexes.add(node["Index Name"])
        if node["Node Type"] == "Seq Scan":
            scanned.add(node["Relation Name"])
        for child in node.get("Plans", ()):
            self._walk(child, indexes, scanned)

    def _sqlite(self):
        lines = [line for *_numbers, line in self._explain("EXPLAIN QUERY PLAN")]
        indexes = {name for line in lines for name in re.findall(r"USING (?:COVERING )?INDEX (\w+)", line)}
        scanned = {line.split()[1] for line in lines if line.startswith("SCAN") and "USING" not in line}
        aliases = {alias: table for table, alias in re.findall(r'"(\w+)" ([A-Z]\d+)\b', self.sql)}
        return "\n".join(lines), indexes, {aliases.get(name, name) for name in scanned}


class QueryPlans(TestCase):
    @classmethod
    def setUpTestData(cls):
        """Fill the table as it is after a busy month: nearly everything has ended."""
        now = timezone.now()
        crowd(FINISHED, status="succeeded", attempt=1, output="1", finished_at=now)
        crowd(QUEUED, status="queued")
        crowd(LATER, status="queued", run_after=now + timedelta(days=30))
        crowd(20, status="queued", run_after=now - timedelta(days=1))
        crowd(20, status="queued", recoveries=5)
        crowd(20, status="queued", run_after=now + timedelta(1), waiting_for="code")
        crowd(20, status="running", worker="dead", attempt=1, deadline=now - timedelta(1))
        step = Step.objects.create(workflow_id=id_of(0), position=1, name="x", attempt=1)
        multiply(step, 2000, workflow_id=ids_after(0))
        Worker.objects.register("w", 3600, hostname="test", pid=0)
        Queue.objects.ensure("default", "second")
        analyse(*TABLES)

    def selects(self, act):
        """Return the plans of the SELECTs that an act makes, run as workers run them."""
        with statements() as seen:
            act()
        return [Plan(sql) for sql in seen if sql.startswith(("SELECT", "UPDATE"))]

    def assert_indexed(self, act, *indexes):
        """The first SELECT of the act uses these indexes; no statement scans the workflow table."""
        plans = self.selects(act)
        for index in indexes:
            self.assertIn(index, plans[0].indexes, f"{plans[0].sql}\n{plans[0].text}")
        for plan in plans:
            self.assertNotIn("durable_django_workflow", plan.scanned, f"{plan.sql}\n{plan.text}")

    def test_of_a_claim(self):
        """The runnable ones of a queue in the order of their turn; the index gives the order, nothing is sorted."""

        def claim():
            Workflow.objects.claim("w", "default", 8, names=NAMES(), is_async=False)

        self.assert_indexed(claim, "durable_workflow_runnable")

        plan = self.selects(claim)[0]
        self.assertNotIn("Sort", plan.text)
        self.assertNotIn("TEMP B-TREE", plan.text)

    def test_of_a_claim_of_a_suspect(self):
        """Those that must run alone, of which there are few."""
        self.assert_indexed(
            lambda: Workflow.objects.claim_suspect("w", "default", names=NAMES()), "durable_workflow_suspect"
        )

    def test_of_a_promotion(self):
        """The due ones, the earliest first."""
        self.assert_indexed(Workflow.objects.promote, "durable_workflow_timer")

    def test_of_the_list_of_orphans(self):
        """Those that anybody holds, however many have ended."""
        self.assert_indexed(Workflow.objects.recover, "durable_workflow_owned")

    def test_of_strays(self):
        """Those that one worker holds."""
        self.assert_indexed(lambda: Workflow.objects.recover_strays("dead", set()), "durable_workflow_owned")

    def test_of_overdue_ones(self):
        """Live ones with a deadline."""
        self.assert_indexed(Workflow.objects.expire, "durable_workflow_deadline")

    def test_of_those_without_code(self):
        """Those that were put aside."""
        self.assert_indexed(lambda: Workflow.objects.promote_known(NAMES()), "durable_workflow_no_code")

    def test_of_a_look(self):
        """Each question of the loop is a probe of an index; nothing of the workflow table is scanned."""
        expected = (
            "durable_workflow_runnable", "durable_workflow_suspect", "durable_workflow_timer", "durable_workflow_owned",
            "durable_workflow_deadline",
        )  # fmt: skip
        self.assert_indexed(lambda: look("default", lambda _queue: True), *expected)

    def test_of_a_history(self):
        """The checkpoints of one workflow by their key."""
        plans = self.selects(lambda: Step.objects.recorded("w-00000001"))

        self.assertEqual(set(), plans[0].scanned, plans[0].text)
        self.assertEqual({STEP_KEY}, plans[0].indexes, plans[0].text)

    def test_of_a_list_of_the_newest(self):
        """What admin and command line show first."""
        plans = self.selects(lambda: list(Workflow.objects.order_by("-created_at")[:50]))

        self.assertEqual({"durable_workflow_created"}, plans[0].indexes, plans[0].text)

    def test_of_ids_by_their_beginning(self):
        """A prefix search is served by the primary key."""
        if connection.vendor == "sqlite":
            self.skipTest("LIKE of SQLite ignores case, so no index of it can serve it")
        plans = self.selects(lambda: list(Workflow.objects.filter(pk__startswith="w-0000001").values_list("pk")))

        self.assertEqual(set(), plans[0].scanned, plans[0].text)

    def test_partial_indexes_hold_no_finished_row(self):
        """What has ended leaves them: they stay as small as what is alive."""
        if connection.vendor == "sqlite":
            self.skipTest("SQLite does not tell how many rows an index holds")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexrelid::regclass::text, reltuples FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
                " WHERE indrelid = 'durable_django_workflow'::regclass AND indpred IS NOT NULL"
            )
            sizes = dict(cursor.fetchall())
        # The one that is about them: it is read by retention alone.
        self.assertGreaterEqual(sizes.pop("durable_workflow_retention"), FINISHED)

        # What the admin finds by its end has ended.
        del sizes["durable_workflow_finished"]
        self.assertGreaterEqual(len(sizes), 9)
        self.assertLess(max(sizes.values()), FINISHED / 4, sizes)
