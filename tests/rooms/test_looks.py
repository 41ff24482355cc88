"""worker/looks.py: one statement tells a worker what there is to do."""

from django.test import TestCase

from durable_django.models import Queue, Schedule, Worker, Workflow
from durable_django.testing import travel
from durable_django.worker.looks import Look, look
from tests.behaviour.states import claim
from tests.sample.promises import second_queue, takes_order


def every(_queue):
    return True


class ALook(TestCase):
    def setUp(self):
        Queue.objects.all().delete()
        Queue.objects.ensure("default", "second")
        Schedule.objects.pause()

    def test_at_nothing_finds_nothing(self):
        """No queue, no timer, no orphan, no deadline."""
        found = look("default", every)

        self.assertEqual(Look(), found)
        self.assertFalse(found.has_work or found.is_timer_due)

    def test_finds_queues_with_work(self):
        """Each that has a runnable workflow, with the name of the first; of those that are served."""
        takes_order.start(1)
        takes_order.using(queue="second").start(2)

        self.assertEqual(
            dict.fromkeys([("default", False), ("second", False)], "sample.takes_order"), look("default", every).lines
        )
        self.assertEqual([("second", False)], list(look("default", lambda queue: queue == "second").lines))
        self.assertTrue(look("default", every).has_work)

    def test_tells_which_queues_have_limits(self):
        """Claims from the others count nothing."""
        Queue.objects.filter(pk="second").edit(concurrency=1)

        self.assertEqual(frozenset(["second"]), look("default", every).limited)

    def test_leaves_paused_queues_out(self):
        """What is in them waits."""
        takes_order.using(queue="second").start(2)
        second_queue.pause()

        self.assertEqual({}, look("default", every).lines)

    def test_finds_suspects_apart(self):
        """They are claimed in another way."""
        takes_order.start(1)
        Workflow.objects.update(recoveries=3)

        found = look("default", every)

        self.assertEqual(({}, ("default",)), (found.lines, found.suspect_queues))
        self.assertTrue(found.has_work)

    def test_knows_the_next_timer(self):
        """In seconds, by the database's clock; zero or less once it is due."""
        takes_order.using(delay=60).start(1)
        takes_order.using(delay=600).start(2)
        before = look("default", every)
        with travel(seconds=61):
            after = look("default", every)

        self.assertAlmostEqual(60, before.seconds_to_timer, delta=30)
        self.assertEqual((False, True), (before.is_timer_due, after.is_timer_due))
        self.assertEqual((False, True), (before.has_work, after.has_work))

    def test_finds_orphans_and_overdue_ones(self):
        """A lost worker, a deadline that has passed."""
        claim(takes_order.using(timeout=5).start(1))
        before = look("default", every)
        Worker.objects.expire()
        with travel(seconds=6):
            after = look("default", every)

        self.assertEqual((False, False), (before.has_orphans, before.has_overdue))
        self.assertEqual((True, True), (after.has_orphans, after.has_overdue))

    def test_takes_no_finished_row_for_work(self):
        """Ended ones are nobody's business."""
        takes_order.start(1)
        Workflow.objects.update(status="succeeded", finished_at="2026-01-01T00:00Z")

        self.assertEqual(Look(), look("default", every))
