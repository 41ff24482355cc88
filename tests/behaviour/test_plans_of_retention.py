"""Query plans of retention: what is due is found by an index, whatever else has ended, is kept, or is bare already."""

from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.utils import timezone

from durable_django.base.clock import FOR_EVER
from durable_django.models import Workflow, retention
from durable_django.testing import travel
from tests.behaviour.retaining import ended
from tests.behaviour.support import statements
from tests.behaviour.test_plans import Plan, analyse

KEPT, DUE, BARE = 8_000, 300, 2_000
WORKFLOWS, STEPS = "durable_django_workflow", "durable_django_step"
IS_POSTGRESQL = connection.vendor == "postgresql"
PRIMARY_KEY = "durable_django_workflow_pkey" if IS_POSTGRESQL else "sqlite_autoindex_durable_django_workflow_1"


class QueryPlans(TestCase):
    @classmethod
    def setUpTestData(cls):
        """Fill the table as it is after a busy month: most has ended lately, some long ago, and many wait."""
        long_ago = timezone.now() - timedelta(days=40)
        ended(KEPT)
        ended(KEPT // 4, status="failed", at=long_ago)
        ended(KEPT // 4, at=long_ago, retention_seconds=FOR_EVER)
        ended(BARE, at=long_ago, steps=0, is_bare=True, pruned_at=long_ago)
        ended(DUE, at=long_ago, steps=3)
        ended(DUE, at=long_ago, retention_seconds=60)
        for text in ("message:", "event:somebody:key", "child:somebody"):
            ended(KEPT // 4, steps=0, status="waiting", waiting_for=text)
        Workflow.objects.filter(status="waiting").update(finished_at=None)
        analyse(WORKFLOWS, STEPS)

    def plans(self, days=0):
        """Return the plans of a whole sweep."""
        with travel(days=days), statements() as seen:
            swept = sum(retention.sweep(Workflow.objects.all()))
        return swept, [Plan(sql) for sql in seen if sql.startswith(("SELECT", "UPDATE", "DELETE"))]

    def test_of_a_sweep(self):
        """The range of the index that is due, page by page; neither workflows nor steps are scanned."""
        swept, plans = self.plans()

        self.assertEqual(2 * DUE, swept)
        self.assertIn("durable_workflow_retention", plans[0].indexes, plans[0].text)
        for plan in plans:
            self.assertFalse({WORKFLOWS, STEPS} & plan.scanned, f"{plan.sql}\n{plan.text}")

    def test_of_what_forks_read_instead_of_children(self):
        """Those forks that name any, by an index that holds nothing else."""
        ended(20, status="paused", steps=0, replacements="w-00000001\nw-00000002")
        _swept, plans = self.plans()

        (one, *others) = [plan for plan in plans if '"replacements" >' in plan.sql]
        for plan in (one, *others):
            self.assertEqual({"durable_workflow_replacing"}, plan.indexes, f"{plan.sql}\n{plan.text}")

    def test_of_a_sweep_that_finds_nothing(self):
        """A probe for each kind of end; none reads through what is kept, or sorts it."""
        self.plans()
        _swept, plans = self.plans()

        for plan in plans:
            self.assertTrue(
                {"durable_workflow_retention", "durable_workflow_bare"} & plan.indexes, f"{plan.sql}\n{plan.text}"
            )

    def test_of_bare_rows(self):
        """Those that are old enough, by an index that holds nothing else."""
        Workflow.objects.filter(is_bare=False).update(finished_at=timezone.now() + timedelta(days=400))
        swept, plans = self.plans(days=340)

        self.assertEqual(BARE, swept)
        used = [plan for plan in plans if "durable_workflow_bare" in plan.indexes]
        self.assertGreaterEqual(len(used), BARE // retention.BATCH)


class TheFirstSweepOfAnOldTable(TestCase):
    def test_reads_no_more_than_it_prunes(self):
        """Nearly everything is due: even so, each page is a short range of the index, in its order."""
        ended(KEPT, at=timezone.now() - timedelta(days=40))
        ended(KEPT // 20)
        analyse(WORKFLOWS)
        with statements() as seen:
            sweep = retention.sweep(Workflow.objects.all())
            counts = [next(sweep), next(sweep)]
        pages = [Plan(sql) for sql in seen if sql.endswith(f"LIMIT {retention.BATCH}")]

        self.assertEqual([retention.BATCH] * 2, counts)
        self.assertEqual(2, len(pages))
        for plan in pages:
            self.assertEqual({"durable_workflow_retention"}, plan.indexes - {PRIMARY_KEY}, f"{plan.sql}\n{plan.text}")
            self.assertNotIn('"Node Type": "Sort"', plan.text)
