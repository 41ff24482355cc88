"""task.enqueue(): one INSERT in the caller's transaction, and what is refused before anything is written."""

import dataclasses
from datetime import timedelta

from asgiref.sync import async_to_sync
from django.db import transaction
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from durable_django import PayloadTooLarge, UnknownQueue
from durable_django.models import Queue, Workflow
from durable_django.tasks import enqueue_on_commit
from durable_django.tasks.sources import InvalidTask, TaskResultStatus
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import labels, statements, summary
from tests.sample import tasks


def states():
    return set(Workflow.objects.values_list("status", flat=True))


class Enqueueing(TransactionTestCase):
    @override_settings(DURABLE_DJANGO={"NOTIFY": False})
    def test_is_one_query(self):
        """An INSERT, without BEGIN, COMMIT, savepoint or look, whatever the options."""
        for task in (
            tasks.add,
            tasks.add_async,
            tasks.write_letter.using(priority=-3),
            tasks.add.using(run_after=timezone.now() + timedelta(days=1)),
            tasks.add.using(run_after=timedelta(days=1)),
        ):
            with self.subTest(task=task), statements() as seen:
                task.enqueue(1)
            self.assertEqual(["INSERT workflow"], summary(seen))

    @override_settings(DURABLE_DJANGO={"NOTIFY": False})
    def test_from_async_code_is_one_query(self):
        """aenqueue() is the same INSERT."""
        with statements() as seen:
            async_to_sync(tasks.add.aenqueue)(1)

        self.assertEqual(["INSERT workflow"], summary(seen))

    def test_joins_the_callers_transaction(self):
        """Rolled back with it, the task never existed; committed, it is run."""
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            tasks.write_letter.enqueue("lost")
            raise ZeroDivisionError
        with transaction.atomic():
            tasks.write_letter.enqueue("kept")
        run_until_idle()

        self.assertEqual(["kept"], labels())

    def test_after_the_commit_of_another_transaction(self):
        """enqueue_on_commit() enqueues when the block has been committed, never after a rollback."""
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            enqueue_on_commit(tasks.write_letter, "lost")
            raise ZeroDivisionError
        with transaction.atomic():
            enqueue_on_commit(tasks.write_letter, label="kept")
            self.assertEqual(set(), states())
        run_until_idle()

        self.assertEqual(["kept"], labels())

    def test_on_a_queue_that_no_list_has(self):
        """Where QUEUES is empty, any name will do: its row is made with the task, and gone with it."""
        task = tasks.write_letter.using(backend="any_queue", queue_name="never-seen-before")
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            task.enqueue("lost")
            raise ZeroDivisionError
        self.assertFalse(Queue.objects.filter(pk="never-seen-before").exists())

        task.enqueue("kept")

        self.assertTrue(Queue.objects.filter(pk="never-seen-before").exists())
        with statements() as seen:
            task.enqueue("again")
        self.assertEqual(1, summary(seen).count("INSERT workflow"))
        self.assertNotIn("INSERT queue", summary(seen))


class AnEnqueuedTask(TestCase):
    def test_is_ready(self):
        """The result says what was enqueued, by the database's clock, and that nothing has happened yet."""
        result = tasks.write_letter.enqueue("a")

        row = Workflow.objects.get(pk=result.id)
        self.assertEqual(TaskResultStatus.READY, result.status)
        self.assertEqual((row.created_at, None, None), (result.enqueued_at, result.started_at, result.finished_at))
        self.assertEqual((["a"], {}, [], []), (result.args, result.kwargs, result.errors, result.worker_ids))
        self.assertEqual(("letters", 7, "default"), (row.queue, row.priority, result.backend))
        self.assertLess(len(result.id), 64)

    def test_is_found_again_as_it_was_returned(self):
        """enqueue() and get_result() agree in every field."""
        for task in (tasks.add, tasks.write_letter.using(priority=-5), tasks.add.using(run_after=timezone.now())):
            with self.subTest(task=task):
                result = task.enqueue("a")
                found = task.get_result(result.id)
                self.assertEqual(dataclasses.asdict(result), dataclasses.asdict(found))
                self.assertEqual(result.task, found.task)

    def test_runs_in_the_order_of_priority(self):
        """The larger comes first; equal ones in the order in which they were enqueued."""
        for label, priority in (("c", 0), ("d", 0), ("a", 100), ("e", -100), ("b", 1)):
            tasks.write_letter.using(priority=priority).enqueue(label)
        run_until_idle()

        self.assertEqual(["a", "b", "c", "d", "e"], labels())

    def test_waits_for_its_moment(self):
        """run_after is a datetime, or a timedelta from the enqueueing on."""
        for run_after in (timezone.now() + timedelta(hours=1), timedelta(hours=1)):
            result = tasks.add.using(run_after=run_after).enqueue(1)
            with self.subTest(run_after=run_after):
                with travel(minutes=59):
                    self.assertEqual(0, run_until_idle())
                with travel(minutes=61):
                    self.assertEqual(1, run_until_idle())
                self.assertEqual(1, tasks.add.get_result(result.id).return_value)

    def test_whose_moment_has_passed_is_run_at_once(self):
        """A datetime of yesterday, and less than no time."""
        for run_after in (timezone.now() - timedelta(days=1), -timedelta(days=1)):
            with self.subTest(run_after=run_after):
                result = tasks.add.using(run_after=run_after).enqueue(1)
                run_until_idle()
                self.assertEqual(1, tasks.add.get_result(result.id).return_value)


class Values(TestCase):
    def test_come_to_the_task_as_json_keeps_them(self):
        """Tuples are lists, keys are texts, bytes are decoded; the result of enqueue() says the same."""
        result = tasks.echo.enqueue((1, "é\0\ud800"), {1: 2**70}, b"raw", key=None)
        run_until_idle()

        args = [[1, "é\0\ud800"], {"1": 2**70}, "raw"]
        self.assertEqual((args, {"key": None}), (result.args, result.kwargs))
        self.assertEqual([args, {"key": None}], tasks.echo.get_result(result.id).return_value)

    def test_that_are_not_json_are_refused(self):
        """Before anything is written, in the caller."""
        for value in (object(), {1, 2}, timezone.now(), b"\xff", float("nan"), float("inf")):
            with self.subTest(value=value), self.assertRaises((TypeError, ValueError)):
                tasks.echo.enqueue(value)
        self.assertEqual(set(), states())

    @override_settings(DURABLE_DJANGO={"MAX_PAYLOAD_BYTES": 1024})
    def test_that_are_too_large_are_refused(self):
        """With the setting that limits them."""
        with self.assertRaises(PayloadTooLarge):
            tasks.echo.enqueue("x" * 2000)


class ATaskThatCannotBeRun(TestCase):
    def test_is_refused_when_it_is_made(self):
        """Queues that are not listed, names that cannot be, moments that do not exist."""
        for changes in (
            {"queue_name": "unknown"},
            {"queue_name": "n\0", "backend": "any_queue"},
            {"queue_name": "x" * 256, "backend": "any_queue"},
            {"priority": 101},
            {"priority": 0.5},
        ):
            with self.subTest(changes=changes), self.assertRaises(InvalidTask):
                tasks.add.using(**changes)

    def test_is_refused_when_it_is_enqueued(self):
        """A moment in the year 9999 exists in some zones only; settings may have changed since the task was made."""
        task = tasks.add.using(run_after=timezone.now().replace(year=9999))
        with self.assertRaises(InvalidTask):
            task.enqueue(1)
        late = tasks.write_letter.using(priority=1)
        with (
            override_settings(
                TASKS={"default": {"BACKEND": "durable_django.tasks.DurableBackend", "QUEUES": ["elsewhere"]}}
            ),
            self.assertRaises((InvalidTask, UnknownQueue)),
        ):
            late.enqueue("a")
        self.assertEqual(set(), states())
