"""Rates of queues: at most so many starts in any sliding window, counted from rows that nothing takes back."""

from datetime import timedelta
from unittest import mock

from django.test import TestCase

from durable_django import Rate
from durable_django.models import Queue, QueueStart, Worker, Workflow, queue
from durable_django.testing import run_until_idle, travel
from tests.behaviour.claiming import claim, claimed, ids, start_ids, sync
from tests.sample.queued import begins, rated, waits


class RateTestCase(TestCase):
    def setUp(self):
        sync()
        self.addCleanup(rated.revert)

    def start(self, *names):
        start_ids(begins.using(queue="rated"), *names)


class ARate(RateTestCase):
    def test_lets_no_more_than_its_limit_start(self):
        """Three in a minute, in one claim or in several."""
        self.start("a", "b", "c", "d", "e")

        self.assertEqual(["a", "b"], ids(claim("rated", 2)))
        self.assertEqual(["c"], ids(claim("rated", 2)))
        self.assertEqual([], claim("rated"))

    def test_has_room_again_when_starts_leave_the_window(self):
        """Each by itself: the window slides."""
        self.start("a", "b", "c", "d", "e", "f")
        claim("rated", 1)
        with travel(seconds=30):
            claim("rated")
        with travel(seconds=61):
            self.assertEqual(["d"], ids(claim("rated")))
        with travel(seconds=91):
            self.assertEqual(["e", "f"], ids(claim("rated")))

    def test_tells_when_it_has_room_again(self):
        """So that the worker can sleep until then."""
        self.start("a", "b", "c", "d")
        claim("rated")

        with travel(seconds=20):
            self.assertAlmostEqual(40, claimed("rated").seconds, delta=5)

    def test_is_kept_in_every_window_of_an_hour(self):
        """However starts and claims fall, by the clock of the database."""
        begins.using(queue="rated").start_many([(str(number),) for number in range(400)])
        rated.edit(rate=Rate(10, per=60))
        for second in range(0, 3600, 7):
            with travel(seconds=second):
                for workflow in claim("rated", 1 + second % 5):
                    workflow.succeed("null")

        moments = sorted(QueueStart.objects.values_list("started_at", flat=True))
        crowded = [
            (first, last)
            for first, last in zip(moments, moments[10:], strict=False)
            if last - first < timedelta(seconds=60)
        ]
        self.assertEqual([], crowded)
        self.assertGreaterEqual(len(moments), 390)


class AStartThatCounts(RateTestCase):
    def setUp(self):
        super().setUp()
        self.start("a", "b", "c", "d")
        self.first, self.second, self.third = claim("rated")

    def test_still_counts_after_a_cancellation(self):
        """Otherwise cancelling would be a way round the limit."""
        Workflow.objects.cancel()
        for workflow in (self.first, self.second, self.third):
            workflow.let_go()
        self.start("e")

        self.assertEqual([], claim("rated"))

    def test_still_counts_after_the_row_is_gone(self):
        """Whatever removed it."""
        for workflow in (self.first, self.second, self.third):
            workflow.succeed("null")
        Workflow.objects.finished().delete()

        self.assertEqual([], claim("rated"))

    def test_is_not_counted_twice_by_recovery(self):
        """Going on is no start, and waits for no rate."""
        Worker.objects.all().expire()
        Workflow.objects.recover()

        self.assertEqual(["a", "b", "c"], ids(claim("rated", worker="other")))
        self.assertEqual(3, QueueStart.objects.count())

    def test_is_forgotten_long_after_its_window(self):
        """By the upkeep of workers; not as long as it may count."""
        Queue.objects.forget_starts()
        self.assertEqual(3, QueueStart.objects.count())

        with travel(seconds=121):
            Queue.objects.forget_starts()
        self.assertEqual(0, QueueStart.objects.count())

    def test_is_forgotten_with_its_rate(self):
        """Where nothing is counted any more; what other queues count stays."""
        self.start_elsewhere()

        rated.edit(rate=None)
        Queue.objects.forget_starts()

        self.assertEqual(["e"], list(QueueStart.objects.values_list("workflow", flat=True)))

    def test_is_forgotten_in_parts(self):
        """A rate that let through millions is no long transaction."""
        rated.edit(rate=None)

        with mock.patch.object(queue, "_MOST_AT_ONCE", 2):
            Queue.objects.forget_starts()

        self.assertEqual(1, QueueStart.objects.count())

    def start_elsewhere(self):
        start_ids(begins.using(queue="rated_tenants", partition_key="k"), "e")
        claim("rated_tenants")


class AWorkflowThatWaited(RateTestCase):
    def test_goes_on_though_the_rate_is_used_up(self):
        """And before those that have not begun."""
        handles = [waits.using(queue="rated", id=name).start(name) for name in ("a", "b", "c")]
        run_until_idle()
        self.start("d")
        Workflow.objects.filter(pk__in=[handle.id for handle in handles]).wake()

        self.assertEqual(["a", "b", "c"], ids(claim("rated")))
