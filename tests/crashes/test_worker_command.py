"""manage.py worker: the ends it comes to by itself, its children, and reasons for which it does not start."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from unittest import skipUnless

from django.db import connection

from durable_django.base import registry
from durable_django.models import Queue, Worker, Workflow
from tests.crashes.harness import LONG_LEASE, CrashTestCase, WorkerUnderTest, is_postgresql, wait_until
from tests.sample import flags
from tests.sample.crashing import held_in_plain, marks
from tests.sample.queued import begins


class AWorkerThatEndsByItself(CrashTestCase):
    def test_when_nothing_is_left_to_run(self):
        """--until-idle runs what there is, also what becomes due meanwhile, and exits 0."""
        for number in range(10):
            marks.start(f"w{number}")

        worker = self.launch_worker("--until-idle")

        self.assertEqual(0, worker.wait())
        self.assertEqual(10, Workflow.objects.filter(status="succeeded").count())

    def test_when_a_rate_holds_back_what_is_left(self):
        """--until-idle does not wait for the window; with two processes neither."""
        Queue.objects.sync(registry.queues.declared())
        begins.using(queue="rated").start_many([(str(number),) for number in range(10)])

        worker = self.launch_worker("--until-idle", "--processes", "2")

        self.assertEqual(0, worker.wait())
        self.assertEqual(3, Workflow.objects.filter(status="succeeded").count())

    def test_after_so_many_workflows(self):
        """--max-workflows 3 runs three, leaves the rest in the queue, and exits 0."""
        for number in range(10):
            marks.start(f"w{number}")

        worker = self.launch_worker("--max-workflows", "3")

        self.assertEqual(0, worker.wait())
        self.assertEqual(3, Workflow.objects.filter(status="succeeded").count())
        self.assertEqual(7, Workflow.objects.queued().count())


class AWorkerWithTwoProcesses(CrashTestCase):
    def test_replaces_the_one_that_died(self):
        """The other goes on; what the dead one held is run again."""
        worker = self.start_worker("--processes", "2")
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")
        (victim,) = flags.processes("in-w")

        os.kill(victim, signal.SIGKILL)
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        wait_until(lambda: len(worker.children) == 2, "the dead process was replaced")
        self.assertNotIn(victim, worker.children)


class AWorkerWithManyThreads(CrashTestCase):
    def test_does_not_stand_in_its_own_way(self):
        """I1: threads that write all the time wait for each other's commits, and not for each other's waiting."""
        marks.start_many([(f"w{number}",) for number in range(300)])

        self.launch_worker("--threads", "8")

        self.wait_for_end(seconds=30)
        self.assertEqual({1}, set(Workflow.objects.values_list("attempt", flat=True)))


class AWorkerUnderDevelopment(CrashTestCase):
    """The worker's settings are a file of the test, which it may edit."""

    def setUp(self) -> None:
        super().setUp()
        self.source = self.folder / "edited_settings.py"
        self.edit("")
        self.worker = self.start_worker(
            "--reload", environment={"DJANGO_SETTINGS_MODULE": "edited_settings", "PYTHONPATH": str(self.folder)}
        )

    def edit(self, line: str) -> None:
        self.source.write_text(f"from tests.settings import *\n{line}\n")

    def wait_for_another_than(self, child: int) -> None:
        wait_until(lambda: set(self.worker.children) - {child}, "another process was started")
        self.worker.wait_until_ready()

    def test_begins_anew_when_a_source_file_changes(self):
        """--reload gives running workflows back, as TERM does, and goes on with the new code."""
        before = self.worker.child
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        self.edit("# edited")
        wait_until(lambda: Worker.objects.filter(is_draining=True).exists(), "the process drains")
        self.let_go_on("w")
        self.wait_for_another_than(before)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual(1, flags.times("in-w"))
        self.assertNotIn(before, flags.processes("in-w-next"))

    def test_outlives_a_file_that_cannot_be_imported(self):
        """--reload goes on trying while the file is broken, and works again when it is mended."""
        self.edit("this is no Python")
        wait_until(lambda: self.worker.has_said("SyntaxError"), "the new process has failed")
        self.edit("")

        self.assertEqual(["w-1", "w-2", "w-3"], marks.start("w").result(timeout=60))


class AWorkerThatDoesNotStart(CrashTestCase):
    def assert_refused(self, worker: WorkerUnderTest, *sentences: str) -> None:
        self.assertEqual(1, worker.wait())
        for sentence in sentences:
            self.assertIn(sentence, worker.log.read_text())
        self.assertEqual(0, Worker.objects.count())

    def test_without_migrations(self):
        """G29: it exits 1 with the reason and the way out, and claims nothing."""
        with empty_database(self) as name:
            worker = self.launch_worker(environment={"DURABLE_TEST_DATABASE_NAME": name})

            self.assert_refused(worker, "Migrations are not applied", "manage.py migrate")

    def test_with_settings_that_fail_the_checks(self):
        """G29: an unknown key is named, with the nearest known one."""
        worker = self.launch_worker(settings={"LEASE_SECOND": 3})

        self.assert_refused(worker, "LEASE_SECOND", "Did you mean 'LEASE_SECONDS'?")

    def test_for_a_queue_that_nobody_declared(self):
        """The queue is named, and how to declare it."""
        worker = self.launch_worker("--queues", "nowhere")

        self.assert_refused(worker, "Queue 'nowhere' is not declared")


class AWorkerThatMayOpenTooManyConnections(CrashTestCase):
    @skipUnless(is_postgresql(), "only a server counts connections")
    def test_is_told_so_and_starts(self):
        """It opens them only when they are needed."""
        worker = self.start_worker("--threads", "2", settings={**LONG_LEASE, "ASYNC_CONNECTIONS": 500})

        self.assertTrue(worker.has_said("durable_django.W003"))
        self.assertTrue(worker.has_said("504 connections"))


@contextlib.contextmanager
def empty_database(test: CrashTestCase) -> Iterator[str]:
    """Make a database without tables; yield its name."""
    if not is_postgresql():
        yield str(test.folder / "empty.sqlite3")
        return
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE durable_empty")
    try:
        yield "durable_empty"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE durable_empty WITH (FORCE)")
