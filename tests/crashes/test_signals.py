"""TERM and INT: a worker drains, or ends at once when asked again; neither makes a step or a workflow fail."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess

from durable_django.base.clock import Later
from durable_django.models import Step, Worker, Workflow
from tests.crashes.harness import CrashTestCase, WorkerUnderTest, is_postgresql, wait_until
from tests.sample import flags
from tests.sample.crashing import held_in_atomic, held_in_plain, interrupts_itself, marks


class SignalTestCase(CrashTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.worker = self.start_worker()

    def start_held(self):
        """Start a workflow and return its handle when it is in the step that the test holds."""
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")
        return handle

    def ask_to_end(self, worker: WorkerUnderTest, number: signal.Signals = signal.SIGTERM) -> None:
        worker.process.send_signal(number)
        wait_until(lambda: Worker.objects.filter(is_draining=True).exists(), "the worker drains")

    def assert_given_back(self, handle) -> None:
        """The workflow waits for another worker, as if nothing had happened."""
        row = handle.refresh().workflow
        self.assertEqual(("queued", None, None, 0), (row.status, row.worker, row.run_after, row.recoveries))
        self.assertEqual({None}, set(Step.objects.values_list("error", flat=True)))


class TheFirstSignal(SignalTestCase):
    def test_gives_running_workflows_back_at_their_next_step(self):
        """G6: the step that runs is recorded, the worker exits 0, another goes on behind the step."""
        handle = self.start_held()

        self.ask_to_end(self.worker)
        self.let_go_on("w")

        self.assertEqual(0, self.worker.wait())
        self.assert_given_back(handle)
        self.assertEqual(0, Worker.objects.alive().count())
        other = self.start_worker()
        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual(1, flags.times("in-w"))
        self.assert_reached_only_by(other.child, "in-w-next")

    def test_may_reach_the_worker_process_alone(self):
        """G6: whoever signals the process that works ends the supervisor with it."""
        handle = self.start_held()

        os.kill(self.worker.child, signal.SIGTERM)
        wait_until(lambda: Worker.objects.filter(is_draining=True).exists(), "the worker drains")
        self.let_go_on("w")

        self.assertEqual(0, self.worker.wait())
        self.assert_given_back(handle)

    def test_may_be_an_interrupt_and_lets_nothing_more_be_claimed(self):
        """G6, A13: after Ctrl-C in a terminal, what is started while it drains waits for another worker."""
        handle = self.start_held()

        self.ask_to_end(self.worker, signal.SIGINT)
        late = marks.start("late")
        self.let_go_on("w")

        self.assertEqual(0, self.worker.wait())
        self.assert_given_back(handle)
        row = late.refresh().workflow
        self.assertEqual(("queued", 0), (row.status, row.attempt))

    def test_may_be_raised_by_the_code_of_a_step(self):
        """G1: KeyboardInterrupt is no result of the step; the worker drains, and the step runs again elsewhere."""
        handle = interrupts_itself.start("w")

        self.assertEqual(0, self.worker.wait())
        self.assert_given_back_or_never_recorded(handle)
        self.start_worker()
        self.assertEqual("w", handle.result(timeout=60))

    def assert_given_back_or_never_recorded(self, handle) -> None:
        self.assertEqual("queued", handle.refresh().status)
        self.assertEqual(0, Step.objects.count())


class TheSecondSignal(SignalTestCase):
    def test_ends_it_in_the_middle_of_a_step(self):
        """G6: it exits 2; the step is not recorded as failed, and runs again elsewhere at once."""
        handle = self.start_held()

        self.ask_to_end(self.worker)
        self.worker.process.terminate()

        self.assertEqual(2, self.worker.wait())
        self.assertEqual(["atomic_mark"], list(Step.objects.values_list("name", flat=True)))
        self.assertEqual(0, Worker.objects.alive().count())
        self.let_go_on("w", call=2)
        self.start_worker()
        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))


class TheSecondSignalDuringAnAtomicStep(CrashTestCase):
    def test_ends_the_worker_too(self):
        """G6: also on SQLite, where nobody can write meanwhile, and a loop that waited for that would be deaf."""
        patience = {} if is_postgresql() else {"DURABLE_TEST_DATABASE_OPTIONS": json.dumps({"timeout": 3600})}
        worker = self.start_worker("--grace", "3600", environment=patience)
        marks.using(delay=1).start("due")
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")
        early = Workflow.objects.timed().filter(run_after__gt=Later(-0.5))
        wait_until(lambda: not early.exists(), "the loop had time to look at what is due")

        # Until it ends: nobody can see whether it drains, and signals that come close together count once.
        wait_until(lambda: has_ended(worker), "a second signal ends it", seconds=30)

        self.assertEqual(2, worker.wait())
        self.assertEqual(0, self.marks()["w"])
        self.assertEqual(["atomic_mark"], list(Step.objects.filter(workflow=handle.id).values_list("name", flat=True)))
        self.let_go_on("w", call=2)
        self.start_worker()
        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assert_made_once("w-before", "w")


def has_ended(worker: WorkerUnderTest) -> bool:
    """Ask a worker to end. Whether it has."""
    worker.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(0.5)
    return worker.process.returncode is not None


class TheGracePeriod(CrashTestCase):
    def test_ends_it_in_the_middle_of_a_step(self):
        """G6: --grace 0.2 waits so long for running steps, then exits 2."""
        worker = self.start_worker("--grace", "0.2")
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        self.assertEqual(2, worker.stop())

        self.assertEqual("running", handle.refresh().status)
        self.assertEqual(0, Worker.objects.alive().count())
