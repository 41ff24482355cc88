"""TERM and INT: a worker drains, or ends at once when asked again; neither makes a step or a workflow fail."""

from __future__ import annotations

import os
import signal

from durable_django.models import Step, Worker
from tests.crashes.harness import CrashTestCase, WorkerUnderTest, wait_until
from tests.sample import flags
from tests.sample.crashing import held_in_plain, interrupts_itself, marks


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


class TheGracePeriod(CrashTestCase):
    def test_ends_it_in_the_middle_of_a_step(self):
        """G6: --grace 0.2 waits so long for running steps, then exits 2."""
        worker = self.start_worker("--grace", "0.2")
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        self.assertEqual(2, worker.stop())

        self.assertEqual("running", handle.refresh().status)
        self.assertEqual(0, Worker.objects.alive().count())
