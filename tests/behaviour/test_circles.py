"""Rows of other hands: workflows that are each other's parents have an end all the same."""

from django.test import TestCase

from durable_django.models import Workflow
from tests.sample.promises import acts


class ACircleOfParents(TestCase):
    def setUp(self):
        for key in ("a", "b", "c"):
            acts.using(id=key).start()
        for key, parent in (("a", "c"), ("b", "a"), ("c", "b")):
            Workflow.objects.filter(pk=key).update(parent=parent)

    def statuses(self):
        return set(Workflow.objects.values_list("status", flat=True))

    def test_is_cancelled_once_round(self):
        """Each of them, and counted once."""
        self.assertEqual(3, Workflow.objects.filter(pk="a").cancel("a test", children=True))

        self.assertEqual({"cancelled"}, self.statuses())

    def test_is_resumed_once_round(self):
        """The lowest first, as in a tree."""
        Workflow.objects.update(status="failed", error="{}", finished_at="2026-01-01T00:00Z")

        self.assertEqual(3, Workflow.objects.filter(pk="a").resume(children=True))

        self.assertEqual({"queued"}, self.statuses())

    def test_is_purged_once_round(self):
        """Nothing is left."""
        Workflow.objects.update(status="failed", error="{}", finished_at="2026-01-01T00:00Z")

        Workflow.objects.filter(pk="a").purge(children=True)

        self.assertFalse(Workflow.objects.filter(is_bare=False).exists())
