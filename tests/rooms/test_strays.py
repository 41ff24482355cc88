"""engine/strays.py: what a living process holds in the database but not in its hands is put back."""

from unittest import mock

from django.test import TestCase

from durable_django.base import clock
from durable_django.engine.ownership import Ownership
from durable_django.engine.strays import Strays
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.states import claim
from tests.behaviour.support import row, statements
from tests.sample.promises import takes_order


class AStray(TestCase):
    def setUp(self):
        self.now = 1000.0
        patched = mock.patch.object(clock, "elapsed_seconds", lambda: self.now)
        patched.start()
        self.addCleanup(patched.stop)
        self.owner = Ownership("w")
        self.strays = Strays("default")
        self.handle = takes_order.start(7)
        claim(self.handle)

    def look(self, seconds=10):
        """Look at once, and again so much later by both clocks."""
        self.strays.put_back_when_due(self.owner)
        self.now += seconds
        with travel(seconds=seconds):
            return self.strays.put_back_when_due(self.owner)

    def test_is_looked_for_after_trouble_only(self):
        """No trouble, no query."""
        with statements() as seen:
            self.assertEqual(0, self.look())

        self.assertEqual([], seen)

    def test_is_put_back_some_seconds_later(self):
        """A claim takes a moment to get from the database into a hand."""
        self.owner.has_strays.set()
        early = self.look(1)
        late = self.look(10)

        self.assertEqual((0, 1), (early, late))
        self.assertEqual("queued", row(self.handle).status)
        run_until_idle()
        self.assertEqual("succeeded", row(self.handle).status)

    def test_is_none_that_is_in_a_hand(self):
        """What the process runs is left alone."""
        self.owner.has_strays.set()
        self.owner.held.add((self.handle.id, 1))

        self.assertEqual(0, self.look())
        self.assertEqual("running", row(self.handle).status)

    def test_is_none_of_another_worker(self):
        """Each process looks for its own."""
        self.owner.has_strays.set()
        Workflow.objects.update(worker="other")

        self.assertEqual(0, self.look())

    def test_is_looked_for_once(self):
        """Until there is trouble again."""
        self.owner.has_strays.set()
        self.look()
        with statements() as seen:
            self.look()

        self.assertEqual([], seen)
        self.assertFalse(self.owner.has_strays.is_set())
