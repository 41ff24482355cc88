"""models/status.py: seven states, three of them terminal; the database knows no other."""

from django.db import IntegrityError, transaction
from django.test import TestCase

from durable_django.models import Workflow
from durable_django.models.status import Status
from tests.behaviour.states import STATES, workflow_in
from tests.sample.promises import takes_order


class TheStates(TestCase):
    def test_are_seven(self):
        """Each can be reached by what reaches it in real life."""
        self.assertEqual(set(Status.values), set(STATES))
        for state in STATES:
            self.assertEqual(state, workflow_in(state).refresh().status)

    def test_that_are_terminal_are_three(self):
        """A row knows whether it has ended."""
        ended = {state for state in STATES if Workflow(status=state).is_finished}

        self.assertEqual({"succeeded", "failed", "cancelled"}, ended)
        self.assertEqual(ended, set(Status.terminal()))

    def test_have_adjectives(self):
        """Querysets by state, which compose."""
        for state in reversed(STATES):
            workflow_in(state)
        rows = Workflow.objects
        counts = {
            name: getattr(rows, name)().count()
            for name in ("queued", "running", "waiting", "paused", "finished", "failed")
        }

        self.assertEqual({"queued": 1, "running": 1, "waiting": 1, "paused": 1, "finished": 3, "failed": 1}, counts)
        self.assertEqual(0, rows.queued().failed().count())

    def test_are_the_only_ones_that_the_database_takes(self):
        """A check constraint refuses others, and RUNNING without a worker."""
        takes_order.start(7)
        for changes in ({"status": "sleeping"}, {"status": "running", "worker": None}):
            with self.subTest(changes=changes), self.assertRaises(IntegrityError), transaction.atomic():
                Workflow.objects.update(**changes)
