"""`manage.py durable queues`: how full the queues are, and what operators do to them."""

import time
from unittest import mock

from django.core.management import CommandError
from django.test import TestCase

from durable_django.base import registry
from durable_django.management import queues
from durable_django.models import Queue, Workflow
from tests.commands.support import answer, durable
from tests.sample.queued import begins


class QueueTestCase(TestCase):
    def setUp(self):
        Queue.objects.sync(registry.queues.declared())


class TheList(QueueTestCase):
    def test_has_a_line_for_each_queue(self):
        """State, what waits and for how long, what runs, the limits."""
        begins.using(queue="three").start_many([("a",), ("b",), ("c",)])
        Workflow.objects.filter(pk=Workflow.objects.first().pk).update(worker="w", status="running", attempt=1)
        Queue.objects.filter(pk="three").pause()

        lines = {line.split()[0]: line.split() for line in durable("queues").splitlines()}

        self.assertEqual(["queue", "state", "queued", "oldest", "running", "limits", "edited"], lines["queue"])
        self.assertEqual(["three", "paused", "2"], lines["three"][:3])
        self.assertEqual(["1", "3", "at", "a", "time", "-"], lines["three"][-6:])
        self.assertEqual(["default", "open", "0", "-", "0", "-", "-"], lines["default"])

    def test_can_be_of_some_queues(self):
        """Those that are named."""
        self.assertEqual(["single", "ten"], [row["name"] for row in answer("queues", "ten", "single")])

    def test_answers_programs_with_all_columns(self):
        """Limits as the row has them, and those of the code."""
        begins.using(queue="rated").start("a")
        Queue.objects.filter(pk="rated").edit(concurrency=4)

        (found,) = answer("queues", "rated")

        age = found.pop("oldest_seconds")
        limits, declared = found.pop("limits"), found.pop("declared")
        self.assertEqual(
            {"name": "rated", "is_paused": False, "is_edited": True, "queued": 1, "is_capped": False, "running": 0,
             "started": 0}, found,
        )  # fmt: skip
        self.assertEqual(
            (4, 3, 60.0, None),
            (limits["concurrency"], limits["rate_limit"], limits["rate_seconds"], declared["concurrency"]),
        )
        self.assertTrue(0 <= age < 60, age)

    def test_says_that_there_are_more_than_it_counts(self):
        """A million is no number to wait for."""
        begins.start_many([("a",), ("b",), ("c",)])

        with mock.patch.object(queues, "MOST_COUNTED", 2):
            self.assertIn("2+", durable("queues", "single"))
            self.assertEqual((2, True), tuple(answer("queues", "single")[0][key] for key in ("queued", "is_capped")))

    def test_of_no_queue_says_why(self):
        """Nobody has migrated yet."""
        Queue.objects.all().delete()

        self.assertEqual("There is no queue yet: migrate, or start a worker.\n", durable("queues"))
        self.assertEqual([], answer("queues"))

    def test_shows_control_characters_escaped(self):
        """No row controls the terminal."""
        Queue.objects.create(name="\x1b[31mred")

        self.assertIn("\\x1b[31mred", durable("queues"))


class AVerb(QueueTestCase):
    def test_changes_those_that_are_named(self):
        """And says how many it changed."""
        self.assertEqual("2 queues paused.\n", durable("queues", "three", "ten", "--pause"))
        self.assertEqual({"paused": 0}, answer("queues", "ten", "--pause"))
        self.assertEqual("1 queue resumed.\n", durable("queues", "ten", "--resume"))

        self.assertEqual(["three"], list(Queue.objects.filter(is_paused=True).values_list("name", flat=True)))

    def test_reverts_what_was_edited(self):
        """The limits of the code count again."""
        Queue.objects.filter(pk="three").edit(concurrency=7)

        self.assertEqual({"reverted": 1}, answer("queues", "three", "--revert"))

        self.assertEqual((3, False), Queue.objects.values_list("concurrency", "is_edited").get(pk="three"))

    def test_drains_by_pausing_and_waiting(self):
        """Until nothing of them runs; what waits stays in its queue."""
        begins.using(queue="three").start_many([("a",), ("b",)])
        running = Workflow.objects.filter(pk=Workflow.objects.first().pk)
        running.update(worker="w", status="running", attempt=1)
        ends = mock.Mock(side_effect=lambda _seconds: running.update(worker=None, status="succeeded"))

        with mock.patch.object(time, "sleep", ends):
            said = durable("queues", "three", "ten", "--drain")

        self.assertEqual(("2 queues drained.\n", 2), (said, ends.call_count))
        self.assertEqual({"three", "ten"}, set(Queue.objects.filter(is_paused=True).values_list("name", flat=True)))
        self.assertEqual(1, Workflow.objects.queued().count())

    def test_waits_for_a_claim_that_was_under_way(self):
        """It saw the queue open, and is seen only afterwards: nothing runs if that is seen twice."""
        running = begins.using(queue="three").start("a").refresh().workflow
        rows = Workflow.objects.filter(pk=running.pk)
        happens = [
            lambda: rows.update(worker="w", status="running", attempt=1),
            lambda: rows.update(worker=None, status="succeeded"),
            lambda: None,
        ]
        sleep = mock.Mock(side_effect=lambda _seconds: happens.pop(0)())

        with mock.patch.object(time, "sleep", sleep):
            durable("queues", "three", "--drain")

        self.assertEqual((3, []), (sleep.call_count, happens))

    def test_drains_no_longer_than_it_may(self):
        """Then it says what still runs; the queue stays paused."""
        begins.using(queue="three").start("a")
        Workflow.objects.update(worker="w", status="running", attempt=1)

        with self.assertRaisesMessage(CommandError, "Paused, but some still run: 1 of three.") as caught:
            durable("queues", "three", "--drain", "--timeout", "0")

        self.assertEqual((1, True), (caught.exception.returncode, Queue.objects.get(pk="three").is_paused))

    def test_must_be_told_which(self):
        """To pause all of them by a slip would stop everything."""
        with self.assertRaisesMessage(CommandError, "Say which queues to pause: their names.") as caught:
            durable("queues", "--pause")

        self.assertEqual(2, caught.exception.returncode)

    def test_changes_nothing_if_one_name_is_wrong(self):
        """The nearest one is named."""
        with self.assertRaisesMessage(CommandError, "There is no queue 'thre'. Did you mean 'three'?"):
            durable("queues", "ten", "thre", "--pause")

        self.assertFalse(Queue.objects.filter(is_paused=True).exists())

    def test_is_one_at_a_time(self):
        """Two of them contradict each other."""
        with self.assertRaisesMessage(CommandError, "not allowed with argument"):
            durable("queues", "ten", "--pause", "--resume")
