"""What claims by limits cost: statements by number, and plans that no crowd of rows makes slower."""

import json
from datetime import timedelta

from django.test import TestCase, TransactionTestCase
from django.utils import timezone

from durable_django.models import QueueStart, Worker, duplicates
from tests.behaviour.claiming import claim, start_ids, sync
from tests.behaviour.crowds import crowd, multiply
from tests.behaviour.support import statements, summary
from tests.behaviour.test_plans import TABLES, Plan, analyse, connection
from tests.sample.queued import begins

#: An empty message in the log, behind which everything before is on disk.
WAIT = ("SELECT queue",) if connection.vendor == "postgresql" else ()


class TheCostOfAClaim(TransactionTestCase):
    def setUp(self):
        sync()

    def cost(self, queue, limit=8):
        """Return the statements of a claim, behind one that has compiled them."""
        claim(queue, limit)
        with statements() as seen:
            found = claim(queue, limit)
        # The first one is the helper's own.
        return len(found), summary(seen)[1:]

    def test_by_concurrency_is_one_transaction_of_three(self):
        """The lock, the count, and the claim itself; for the disk it waits behind its lock."""
        start_ids(begins.using(queue="ten"), *"abcdefghijklmnop")

        self.assertEqual(
            (5, ["BEGIN", "SELECT queue", "SELECT workflow", "UPDATE workflow", "COMMIT", *WAIT]), self.cost("ten", 5)
        )

    def test_by_rate_also_counts_and_writes_starts(self):
        """And claims what goes on apart from what starts."""
        start_ids(begins.using(queue="rated"), *"abcd")

        count, seen = self.cost("rated", 1)

        self.assertEqual(1, count)
        self.assertEqual(
            [
                "BEGIN", "SELECT queue", "SELECT workflow", "SELECT queuestart", "UPDATE workflow", "UPDATE workflow",
                "INSERT queuestart", "COMMIT", *WAIT,
            ],
            seen,
        )  # fmt: skip

    def test_of_partitions_finds_two_by_a_statement(self):
        """However many there are; and remembers the last."""
        for number in range(30):
            start_ids(begins.using(queue="tenants", partition_key=f"t{number:02}"), f"{number}-a", f"{number}-b")

        count, seen = self.cost("tenants", 4)

        self.assertEqual(4, count)
        self.assertEqual(2, seen.count("SELECT workflow") - 1)
        self.assertEqual(["UPDATE queue", "UPDATE workflow", "COMMIT", *WAIT], seen[-3 - len(WAIT) :])

    def test_at_the_limit_changes_nothing(self):
        """And asks for nothing but how much room there is."""
        start_ids(begins, "a", "b")
        claim("single")

        self.assertEqual((0, ["BEGIN", "SELECT queue", "SELECT workflow", "COMMIT"]), self.cost("single"))


class PlansOfLimits(TestCase):
    @classmethod
    def setUpTestData(cls):
        """Fill in many that have ended, and a crowd in one partition."""
        sync()
        now = timezone.now()
        crowd(20_000, status="succeeded", attempt=1, output="1", finished_at=now, queue="tenants", partition_key="a")
        crowd(5000, status="queued", queue="tenants", partition_key="crowd")
        crowd(3000, status="queued", queue="rated_tenants", partition_key="crowd")
        crowd(20, status="queued", queue="tenants", partition_key="new")
        crowd(20, status="queued", queue="rated_tenants", partition_key="b", attempt=3)
        crowd(20, status="running", worker="w", attempt=1, queue="tenants")
        start = QueueStart.objects.create(queue="rated_tenants", workflow="x", started_at=now - timedelta(1))
        multiply(start, 5000)
        QueueStart.objects.bulk_create([QueueStart(queue="rated", workflow="x", started_at=now) for _ in range(20)])
        crowd(1, status="queued", deduplication_key="k", queue="single")
        Worker.objects.register("w", 3600, hostname="test", pid=0)
        analyse(*TABLES, "durable_django_queuestart")

    def plans(self, act):
        with statements() as seen:
            act()
        return [Plan(sql) for sql in seen if sql.startswith(("SELECT", "UPDATE"))]

    def assert_planned(self, act, *indexes):
        """The act uses these indexes, sorts nothing that grows with the table, and scans none."""
        plans = self.plans(act)
        for index in indexes:
            self.assertTrue(any(index in plan.indexes for plan in plans), f"{index}: {[p.text for p in plans]}")
        for plan in plans:
            self.assertFalse({"durable_django_workflow", "durable_django_queuestart"} & plan.scanned, plan.text)

    def assert_sorts_at_most_two(self, plan):
        """The walk sorts once, at its end, by the planner's guess two rows; SQLite guesses nothing."""
        is_walk = plan.sql.startswith('SELECT "durable_django_workflow"."partition_key"')
        self.assertEqual(is_walk, plan.text.count("TEMP B-TREE") + plan.text.count("Sort Key"), plan.text)
        if is_walk and connection.vendor == "postgresql":
            (top,) = json.loads(plan.text)
            self.assertEqual(("Sort", 2), (top["Plan"]["Node Type"], top["Plan"]["Plan Rows"]), plan.text)
        elif is_walk:
            self.assertTrue(plan.text.endswith("USE TEMP B-TREE FOR ORDER BY"), plan.text)

    def test_of_a_turn_through_the_partitions(self):
        """The next partition is one probe of an index in the order of the turn; only what was found is sorted."""
        self.assert_planned(lambda: claim("tenants", 4), "durable_workflow_partition", "durable_workflow_owned")
        for plan in self.plans(lambda: claim("tenants", 4)):
            if "durable_workflow_partition" in plan.indexes:
                self.assert_sorts_at_most_two(plan)

    def test_of_a_claim_by_rates(self):
        """Those that go on have an index of their own; starts are counted by theirs."""
        self.assert_planned(lambda: claim("rated_tenants", 4), "durable_workflow_begun", "durable_queuestart_window")

    def test_of_the_holder_of_a_key(self):
        """By the index that keeps keys unique."""
        self.assert_planned(lambda: duplicates.holder_of("default", "single", "k"), "durable_workflow_dedup")
