"""SIGKILL at every point of a workflow, on a living host: its work continues elsewhere, nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any
from unittest import skipIf

from durable_django import WorkflowHandle
from durable_django.models import Worker, Workflow
from tests.crashes.harness import CrashTestCase, is_postgresql, wait_until
from tests.sample.crashing import dies_in_atomic, dies_in_plain, marks

STEP = 'INSERT INTO "durable_django_step"'
FROM_OUTSIDE = "with PostgreSQL it is done from outside, between worker and server: test_lost_answers.py"


class AKilledWorker(CrashTestCase):
    def test_in_a_plain_step_repeats_that_step_alone(self):
        """A1, A6: what was recorded is not run again, the step that ran is; it has the same idempotency key."""
        first = self.start_worker()
        handle = dies_in_plain.start("w")
        self.wait_for_flag("in-w-plain")

        first.kill_all()
        self.start_worker()

        self.assertEqual(["w-before", "w-plain", "w-after"], handle.result(timeout=60))
        self.assertEqual({"w-before": 1, "w-plain": 2, "w-after": 1}, dict(self.marks()))

    def test_in_an_atomic_step_leaves_nothing_of_it(self):
        """A1: the body's writes go with the transaction, and are made once by the next attempt."""
        first = self.start_worker()
        handle = dies_in_atomic.start("w")
        self.wait_for_flag("in-w-atomic")

        first.kill_all()
        self.start_worker()

        self.assertEqual(["w-before", "w-atomic", "w-after"], handle.result(timeout=60))
        self.assertEqual({"w-before": 1, "w-atomic": 1, "w-after": 1}, dict(self.marks()))

    def test_between_body_and_checkpoint(self):
        """A6: a plain step runs again, since nobody knows that it ran; an atomic one was rolled back."""
        self.start_worker(fault={"at": STEP, "when": "before", "action": "kill"})

        handle = marks.start("w")

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        self.assert_made_once("w-1", "w-3")
        self.assertGreater(handle.refresh().workflow.attempt, 1)

    @skipIf(is_postgresql(), FROM_OUTSIDE)
    def test_between_the_checkpoint_of_an_atomic_step_and_its_commit(self):
        """A1: neither the mark nor the checkpoint survives."""
        self.start_worker(fault={"at": "COMMIT", "when": "before", "action": "kill"})

        handle = marks.start("w")

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        self.assert_made_once("w-1", "w-2", "w-3")
        self.assertGreater(handle.refresh().workflow.attempt, 1)

    @skipIf(is_postgresql(), FROM_OUTSIDE)
    def test_after_the_commit_of_an_atomic_step(self):
        """A3: the checkpoint is found, the body is not run again."""
        self.start_worker(fault={"at": "COMMIT", "when": "after", "action": "kill"})

        handle = marks.start("w")

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        self.assert_made_once("w-1", "w-2", "w-3")
        self.assertGreater(handle.refresh().workflow.attempt, 1)

    def test_before_the_outcome_is_written(self):
        """A7: every step answers from its row, no body runs, the same outcome is written."""
        self.start_worker(fault={"at": 'SET "status".*"output"', "when": "before", "action": "kill"})

        handle = marks.start("w")

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        self.assert_made_once("w-1", "w-2", "w-3")
        self.assertGreater(handle.refresh().workflow.attempt, 1)

    def test_after_the_outcome_is_written(self):
        """A3: the workflow has ended; nobody runs it again."""
        worker = self.start_worker(fault={"at": 'SET "status".*"output"', "when": "after", "action": "kill"})
        child = worker.child

        handle = marks.start("w")

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        wait_until(lambda: worker.children and worker.child != child, "the supervisor replaced the child")
        self.assertEqual(1, handle.refresh().workflow.attempt)

    def test_right_after_a_claim(self):
        """A17: the attempt is counted at the claim; what was claimed is recovered."""
        self.start_worker(
            fault={"at": 'UPDATE "durable_django_workflow" SET.*"attempt"', "when": "before", "action": "kill"}
        )

        handle = marks.start("w")

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        self.assert_made_once("w-1", "w-2", "w-3")


class WithDefaultSettings(CrashTestCase):
    """On a living host nobody waits for the lease of 30 seconds (B14)."""

    def assert_taken_over_within_the_lease(self, child: int, handle: WorkflowHandle[Any]) -> None:
        """What the killed child held was run again, since somebody has ended its lease before its time."""
        self.wait_for_flag("in-w-plain", times=2)
        self.assertEqual(["w-before", "w-plain", "w-after"], handle.result(timeout=60))
        row = Worker.objects.get(pid=child)
        self.assertLess(row.lease_expires_at, row.heartbeat_at + timedelta(seconds=30))

    def test_a_killed_child_is_replaced_and_its_work_recovered(self):
        """Its supervisor buries it."""
        worker = self.start_worker(settings={})
        handle = dies_in_plain.start("w")
        self.wait_for_flag("in-w-plain")

        child = worker.child
        os.kill(child, signal.SIGKILL)

        self.assert_taken_over_within_the_lease(child, handle)

    def test_a_neighbour_takes_over_from_a_killed_supervisor_and_child(self):
        """A worker of the same host sees that the process is gone, though nobody buried it."""
        victim = self.start_worker(settings={})
        handle = dies_in_plain.start("w")
        self.wait_for_flag("in-w-plain")
        self.start_worker(settings={})

        child = victim.child
        victim.kill_all()

        self.assert_taken_over_within_the_lease(child, handle)


class AKilledSupervisor(CrashTestCase):
    def test_makes_its_children_drain_and_end(self):
        """A13: no worker process outlives its supervisor, and none claims anything more."""
        worker = self.start_worker()
        child = worker.child

        worker.process.kill()
        worker.process.wait()

        wait_until(lambda: not worker.children, "the child has ended")
        self.assertEqual(0, Worker.objects.alive().filter(pid=child).count())

    def test_loses_no_work(self):
        """Its workflows go on where another worker runs."""
        worker = self.start_worker()
        handles = [marks.start(f"w{number}") for number in range(20)]

        worker.process.kill()
        worker.process.wait()
        self.start_worker()

        self.wait_for_end(*[handle.id for handle in handles])
        self.assertEqual(20, Workflow.objects.filter(status="succeeded").count())
        self.assert_made_once(*[f"w{number}-{place}" for number in range(20) for place in (1, 3)])
