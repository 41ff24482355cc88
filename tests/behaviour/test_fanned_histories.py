"""Children of a gather() that are started and answered together: nobody can tell by the history of their parent."""

from unittest import mock

from django.test import TestCase

from durable_django import NotSerializable
from durable_django.engine import fanning
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import row
from tests.sample.queued import gathers_named


def history(handle):
    """Return what is recorded of a workflow, but for moments."""
    columns = ("branch", "position", "name", "kind", "output", "error", "retries")
    return list(Step.objects.filter(workflow=handle.id).order_by("branch", "position").values_list(*columns))


class ManyChildren(TestCase):
    def test_leave_the_history_that_they_would_leave_one_by_one(self):
        """A run that was begun before, or with fewer, goes on as if nothing were different."""
        together = gathers_named.using(id="w").start([str(number) for number in range(9)])
        run_until_idle()
        seen = history(together), together.result()
        Workflow.objects.all().delete()

        with mock.patch.object(fanning, "_FEWEST", 1000):
            one_by_one = gathers_named.using(id="w").start([str(number) for number in range(9)])
            run_until_idle()

        self.assertEqual(seen, (history(one_by_one), one_by_one.result()))

    def test_of_which_one_fails_tell_so_in_their_order(self):
        """Its error is that of its branch; the others have ended first."""
        handle = gathers_named.start(["a", "b", "fail", "d", "e"])
        run_until_idle()

        with self.assertRaisesMessage(ValueError, "fail fails"):
            handle.result()
        self.assertEqual(4, Workflow.objects.filter(parent_id=handle.id, status="succeeded").count())

    def test_of_which_one_cannot_be_stored_are_started_all_the_same(self):
        """The error is raised in its own branch."""
        handle = gathers_named.start(["a", "b", "object", "d", "e", "f"])
        run_until_idle()

        with self.assertRaises(NotSerializable):
            handle.result()
        self.assertEqual(5, Workflow.objects.filter(parent_id=handle.id).count())

    def test_of_a_cancelled_parent_are_not_started(self):
        """Whoever cancels the tree comes first, or finds them all."""
        handle = gathers_named.start([str(number) for number in range(9)])
        with mock.patch.object(fanning, "start_ahead", side_effect=self.cancelling(handle)):
            run_until_idle()

        self.assertEqual("cancelled", row(handle).status)
        self.assertEqual(0, Workflow.objects.filter(parent_id=handle.id).count())

    def cancelling(self, handle):
        start_ahead = fanning.start_ahead

        def act(run, calls):
            Workflow.objects.filter(pk=handle.id).cancel()
            start_ahead(run, calls)

        return act
