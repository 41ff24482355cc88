"""models/queue.py and api/queues.py: declared queues as rows that operators pause."""

from django.test import TestCase

from durable_django import Queue
from durable_django.models import Queue as QueueRow
from durable_django.worker import boot
from tests.sample.promises import second_queue


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
        QueueRow.objects.sync(["old"])
        boot.sync_queues("default")

        self.assertTrue(QueueRow.objects.filter(pk="old").exists())

    def test_are_paused_and_resumed_by_count(self):
        """Each verb tells how many it changed."""
        QueueRow.objects.sync(["a", "b"])
        rows = QueueRow.objects.filter(pk__in=["a", "b"])

        self.assertEqual([2, 0, 2, 0], [rows.pause(), rows.pause(), rows.resume(), rows.resume()])
        self.assertEqual(2, rows.open().count())


class ADeclaration(TestCase):
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
