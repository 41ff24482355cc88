"""models/queue.py and api/queues.py: declared queues as rows that operators pause."""

from contextlib import suppress
from datetime import timedelta
from unittest import mock

from django.test import SimpleTestCase, TestCase

from durable_django import Queue, Rate, RegistrationError
from durable_django.base.limits import Limits
from durable_django.models import Queue as QueueRow
from durable_django.models.queue import QueueQuerySet
from durable_django.worker import boot
from tests.sample.promises import second_queue
from tests.sample.queued import single


class TheRows(TestCase):
    def test_are_made_for_declared_queues(self):
        """By the boot of a worker; once."""
        QueueRow.objects.all().delete()
        boot.sync_queues("default")
        boot.sync_queues("default")

        self.assertLessEqual({"default", "second"}, set(QueueRow.objects.values_list("name", flat=True)))

    def test_stay_as_an_operator_left_them(self):
        """A boot opens no queue that was paused."""
        second_queue.pause()
        boot.sync_queues("default")

        self.assertTrue(QueueRow.objects.get(pk="second").is_paused)

    def test_of_queues_that_are_gone_stay(self):
        """Workflows may still be in them."""
        QueueRow.objects.ensure("old")
        boot.sync_queues("default")

        self.assertTrue(QueueRow.objects.filter(pk="old").exists())

    def test_are_paused_and_resumed_by_count(self):
        """Each verb tells how many it changed."""
        QueueRow.objects.ensure("a", "b")
        rows = QueueRow.objects.filter(pk__in=["a", "b"])

        self.assertEqual([2, 0, 2, 0], [rows.pause(), rows.pause(), rows.resume(), rows.resume()])
        self.assertEqual(2, rows.open().count())


class TheLimitsOfARow(TestCase):
    declared = {"q": Limits(concurrency=3)}

    def setUp(self):
        QueueRow.objects.sync(self.declared)
        self.rows = QueueRow.objects.filter(pk="q")

    def limits(self):
        return self.rows.get().limits

    def test_are_those_of_the_code(self):
        """From the first boot on."""
        self.assertEqual(Limits(concurrency=3), self.limits())

    def test_follow_the_code(self):
        """Whoever boots last wins."""
        QueueRow.objects.sync({"q": Limits(concurrency=5, rate_limit=1, rate_seconds=2.0)})
        self.assertEqual(Limits(concurrency=5, rate_limit=1, rate_seconds=2.0), self.limits())

        QueueRow.objects.sync(self.declared)
        self.assertEqual(Limits(concurrency=3), self.limits())

    def test_follow_the_code_after_a_boot_that_died(self):
        """Between two of its statements: the next one gives the limits all the same."""
        declared = {"q": Limits(concurrency=5)}
        dies = mock.patch.object(QueueQuerySet, "change_limits", side_effect=KeyboardInterrupt)
        with dies, suppress(KeyboardInterrupt):
            QueueRow.objects.sync(declared)

        QueueRow.objects.sync(declared)

        self.assertEqual(Limits(concurrency=5), self.limits())

    def test_of_an_operator_win_over_all_code(self):
        """Until they are reverted, to what the code says by then."""
        self.rows.edit(concurrency=1)
        QueueRow.objects.sync({"q": Limits(concurrency=7)})
        edited = self.rows.get()
        self.assertEqual((Limits(concurrency=1), True), (edited.limits, edited.is_edited))

        edited.revert()
        self.assertEqual((Limits(concurrency=7), False), (self.limits(), self.rows.get().is_edited))

    def test_are_edited_one_by_one(self):
        """What is not named stays; None takes a limit away."""
        self.rows.get().edit(rate=Rate(10, per=timedelta(minutes=1)))
        self.assertEqual(Limits(concurrency=3, rate_limit=10, rate_seconds=60.0), self.limits())

        self.rows.edit(concurrency=None)
        self.assertEqual(Limits(rate_limit=10, rate_seconds=60.0), self.limits())

    def test_that_are_bad_are_refused(self):
        """With the argument."""
        for given, error, message in (
            ({"concurrency": -1}, ValueError, "concurrency must be from 0"),
            ({"concurrency": True}, TypeError, "concurrency must be a whole number"),
            ({"rate": 5}, TypeError, "rate must be a Rate"),
            ({"parallel": 5}, TypeError, "'parallel' is no limit of a queue. Choose from concurrency,"),
        ):
            with self.subTest(given=given), self.assertRaisesMessage(error, message):
                self.rows.edit(**given)

    def test_are_judged_together_with_those_that_stay(self):
        """As a declaration is: what can never be reached is refused, and nothing is changed."""
        for before, given, message in (
            ({}, {"worker_concurrency": 4}, "Queue 'q': worker_concurrency (4) can never be reached, since"),
            ({}, {"partition_concurrency": 4}, "partition_concurrency (4) can never be reached, since"),
            ({"worker_concurrency": 2}, {"concurrency": 1}, "worker_concurrency (2) can never be reached"),
            ({"partition_concurrency": 2}, {"concurrency": 1}, "Change both in one edit(), or take one away with None"),
            ({"partition_concurrency": 2}, {"partitioned": False}, "partition_concurrency (2) needs a partitioned"),
            ({"partition_rate": Rate(1, per=60)}, {"partitioned": None}, "partition_rate (1) needs a partitioned"),
        ):
            self.rows.revert()
            self.rows.edit(**before)
            limits = self.limits()
            with self.subTest(given=given), self.assertRaisesMessage(ValueError, message):
                self.rows.edit(**given)
            self.assertEqual(limits, self.limits())

    def test_that_contradict_those_of_one_queue_change_none(self):
        """Of several that are edited together."""
        QueueRow.objects.sync({"a": Limits(), "z": Limits(concurrency=1)})
        several = QueueRow.objects.filter(pk__in=["a", "q", "z"])

        with self.assertRaisesMessage(ValueError, "Queue 'z': worker_concurrency (2)"):
            several.edit(worker_concurrency=2)

        self.assertEqual([None] * 3, list(several.values_list("worker_concurrency", flat=True)))

    def test_that_agree_are_changed_in_one_edit(self):
        """Though one of them alone would contradict the row."""
        self.rows.edit(partition_concurrency=3)

        self.rows.edit(concurrency=2, partition_concurrency=2)
        self.rows.edit(partitioned=False, partition_concurrency=None)

        self.assertEqual(Limits(concurrency=2), self.limits())

    def test_cost_a_boot_nothing_that_changes_nothing(self):
        """One query."""
        with self.assertNumQueries(1):
            QueueRow.objects.sync(self.declared)


class BadLimits(SimpleTestCase):
    def test_are_refused_by_the_declaration(self):
        """With the queue, the argument and the value."""
        for given, message in (
            ({"concurrency": -1}, "Queue 'bad': concurrency must be from 0"),
            ({"worker_concurrency": 1.5}, "worker_concurrency must be a whole number, got 1.5"),
            ({"concurrency": 2, "worker_concurrency": 3}, "worker_concurrency (3) can never be reached"),
            ({"concurrency": 2, "partition_concurrency": 3}, "partition_concurrency (3) can never be reached"),
            ({"partitioned": False, "partition_concurrency": 3}, "need a partitioned queue"),
            ({"rate": 3}, "rate must be a Rate"),
        ):
            with self.subTest(given=given), self.assertRaisesMessage(RegistrationError, message):
                Queue("bad", **given)

    def test_are_refused_by_a_rate(self):
        """A window has a length, and room for one start at least."""
        for limit, per, error in (
            (0, 60, ValueError), (1.5, 60, TypeError), (1, 0, ValueError), (1, float("inf"), ValueError),
            (1, "minute", TypeError), (True, 60, TypeError), (1, 400 * 86400, ValueError),
        ):  # fmt: skip
            with self.subTest(limit=limit, per=per), self.assertRaisesMessage(error, "Rate("):
                Rate(limit, per)


class ADeclaration(TestCase):
    def test_carries_its_limits_and_the_verbs_for_them(self):
        """edit() and revert() work before any worker has made the row."""
        QueueRow.objects.all().delete()
        single.edit(concurrency=4)
        edited = QueueRow.objects.get(pk="single").limits.concurrency
        single.revert()

        self.assertEqual((4, 1), (edited, QueueRow.objects.get(pk="single").limits.concurrency))

    def test_carries_the_verbs(self):
        """pause() and resume() work before any worker has made the row."""
        QueueRow.objects.all().delete()
        queue = Queue("second")
        queue.resume()
        queue.pause()
        paused = QueueRow.objects.get(pk="second").is_paused
        queue.resume()

        self.assertEqual((True, False), (paused, QueueRow.objects.get(pk="second").is_paused))
        self.assertEqual("Queue('second')", repr(queue))
