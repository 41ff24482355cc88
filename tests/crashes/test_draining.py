"""Draining by an operator: what runs goes on to its end, nothing more is claimed, and the process ends."""

from __future__ import annotations

import os
import signal

from durable_django.models import Worker
from tests.crashes.harness import SHORT_LEASE, CrashTestCase, wait_until
from tests.sample import flags
from tests.sample.crashing import held_in_plain, marks


class AWorkerThatAnOperatorDrains(CrashTestCase):
    def test_ends_when_what_it_runs_has_ended(self):
        """Later steps of it run here, too; what is started meanwhile waits for another worker."""
        worker = self.start_worker()
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        drained = Worker.objects.drain()
        wait_until(lambda: Worker.objects.filter(is_draining=True).exists(), "the worker drains")
        late = marks.start("late")
        self.let_go_on("w")

        self.assertEqual((1, 0), (drained, worker.wait()))
        row, late_row = handle.refresh().workflow, late.refresh().workflow
        self.assertEqual(("succeeded", 1), (row.status, row.attempt))
        self.assertEqual(1, flags.times("in-w-next"))
        self.assertEqual(("queued", 0), (late_row.status, late_row.attempt))
        self.assertEqual((0, False), (Worker.objects.alive().count(), Worker.objects.get().is_up))
        self.assertTrue(worker.has_said("an operator has drained it"))

    def test_though_it_is_frozen_has_no_successor(self):
        """Its supervisor kills it in the end, and starts nobody in its place; what it ran is recovered by others."""
        worker = self.start_worker(settings=SHORT_LEASE)
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")
        os.kill(worker.child, signal.SIGSTOP)
        Worker.objects.drain()

        self.assertEqual(0, worker.wait())
        self.start_worker(settings=SHORT_LEASE)
        self.wait_for_flag("in-w", times=2)
        self.let_go_on("w", call=2)
        self.wait_for_end(handle.id)

    def test_and_that_dies_has_no_successor(self):
        """Its place stays empty; that of its neighbour does not."""
        worker = self.start_worker("--processes", "2", settings={"LEASE_SECONDS": 600, "HEARTBEAT_SECONDS": 60})
        wait_until(lambda: Worker.objects.alive().count() == 2, "both live")
        first, second = worker.children
        self.assertEqual(1, Worker.objects.filter(pid=first).drain())
        os.kill(first, signal.SIGKILL)

        wait_until(lambda: worker.children == [second], "nobody takes its place")
        os.kill(second, signal.SIGKILL)
        wait_until(lambda: len(worker.children) == 1 and worker.children != [second], "the other one is replaced")

    def test_ends_at_once_if_it_runs_nothing(self):
        """At its next heartbeat; the others go on."""
        idle, other = self.start_worker("--name", "idle"), self.start_worker("--name", "other")

        Worker.objects.filter(name="idle").drain()

        self.assertEqual(0, idle.wait())
        self.assertEqual(["other"], list(Worker.objects.alive().values_list("name", flat=True)))
        self.assertIsNone(other.process.poll())
