"""Query plans of claims by limits in a table that nobody has analysed yet, where the planner guesses."""

from unittest import skipUnless

from django.test import TestCase

from durable_django.models import Workflow
from tests.behaviour.claiming import claim, sync
from tests.behaviour.crowds import rows
from tests.behaviour.support import statements
from tests.behaviour.test_plans import Plan, connection

PARTITIONS = 500


@skipUnless(connection.vendor == "postgresql", "SQLite decides by indexes, not by statistics")
class ATableWithoutStatistics(TestCase):
    @classmethod
    def setUpTestData(cls):
        """Fill in what a start_many() has just made."""
        sync()
        for number in range(PARTITIONS):
            Workflow.objects.bulk_create(rows(4, status="queued", queue="tenants", partition_key=f"t{number:03}"))

    def plans(self, prefix):
        """Return the plans of statements of a claim that begin like this, behind one that has compiled them."""
        claim("tenants", 4)
        with statements() as seen:
            claim("tenants", 4)
        return [Plan(sql) for sql in seen if sql.startswith(prefix)]

    def test_is_not_read_to_count_what_is_held(self):
        """Though nearly every row seems to be."""
        (count,) = self.plans('SELECT "durable_django_workflow"."worker"')

        self.assertEqual({"durable_workflow_owned"}, count.indexes, count.text)
        # A bitmap would be made of the entries of all that has ended since the last vacuum, anew for each claim.
        self.assertNotIn("Bitmap", count.text)

    def test_is_not_read_to_claim_what_was_chosen(self):
        """Though hardly any row seems to be runnable: those of all partitions would be."""
        (update,) = self.plans('UPDATE "durable_django_workflow"')

        self.assertEqual({"durable_django_workflow_pkey"}, update.indexes, update.text)

    def test_is_not_compiled_for(self):
        """A server before version 18 would: what it is told to avoid seems to cost more than any compiler."""
        claim("tenants", 1)

        with connection.cursor() as cursor:
            cursor.execute("SHOW jit")
            self.assertEqual(("off",), cursor.fetchone())
