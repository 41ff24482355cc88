"""worker/process.py: when one worker process ends by itself, and what its exit code says."""

import signal
import sys
import threading
from types import SimpleNamespace

from django.test import SimpleTestCase

from durable_django.engine.ownership import Ownership
from durable_django.worker import exits
from durable_django.worker.options import WorkerOptions
from durable_django.worker.process import WorkerProcess


class AProcess(SimpleTestCase):
    def setUp(self):
        self.process = self.make()

    def make(self, *, claimed=0, is_idle=False, busy=0, **options):
        """Return a process that has booted, in this state."""
        process = WorkerProcess(WorkerOptions(threads=2, **options), None)
        process.changes = None
        process.heartbeat = SimpleNamespace(is_alive=True, owner=Ownership("w"))
        process.loop = SimpleNamespace(claimed=claimed, is_idle=is_idle)
        process.pools = SimpleNamespace(busy=busy)
        return process

    def assert_ends(self, code, reason, process=None):
        process = process or self.process
        self.assertTrue(process._must_end())
        self.assertEqual((code, reason), (process.exit_code, process.reason))

    def test_goes_on_without_a_reason_to_end(self):
        """Busy or idle."""
        self.assertFalse(self.process._must_end())
        self.assertFalse(self.make(is_idle=True, claimed=100)._must_end())

    def test_ends_cut_short_when_late_steps_hold_every_thread(self):
        """Nothing could run any more: the supervisor starts another; one late step of two threads ends nothing."""
        timeouts = self.process.heartbeat.owner.timeouts
        calls = [SimpleNamespace(timeout_seconds=1) for _ in range(2)]
        with timeouts.watching(calls[0]), timeouts.watching(calls[1]):
            timeouts.forget(calls[0], is_late=True)
            before = self.process._must_end()
            timeouts.forget(calls[1], is_late=True)

            self.assertFalse(before)
            self.assert_ends(exits.CUT_SHORT, "steps past their timeout hold every thread")

    def test_ends_drained_when_an_operator_wants_it(self):
        """Not while something runs."""
        busy = self.make(busy=1)
        busy.heartbeat.owner.leaving.set()
        self.process.heartbeat.owner.leaving.set()

        self.assertFalse(busy._must_end())
        self.assert_ends(exits.DRAINED, "an operator has drained it")

    def test_ends_cut_short_when_its_heart_stands_still(self):
        """It would lose its lease."""
        self.process.heartbeat.is_alive = False

        self.assert_ends(exits.CUT_SHORT, "the heartbeat thread died")

    def test_ends_drained_when_its_work_is_done(self):
        """After so many workflows, or when nothing is left to run; not while something runs."""
        self.assertFalse(self.make(claimed=3, busy=1, max_workflows=3)._must_end())
        self.assertFalse(self.make(is_idle=True, busy=1, until_idle=True)._must_end())

        self.assert_ends(exits.DRAINED, "3 workflows were run", self.make(claimed=3, max_workflows=3))
        self.assert_ends(exits.DRAINED, "nothing is left to run", self.make(is_idle=True, until_idle=True))


class ASignal(SimpleTestCase):
    def test_may_come_at_any_line(self):
        """The handler waits for nothing that the line which it interrupts may hold."""
        process = WorkerProcess(WorkerOptions(), None)

        def interrupt(_frame, event, _argument):
            if event == "line":
                process._on_signal(signal.SIGTERM, None)
            return interrupt

        def run():
            sys.settrace(interrupt)
            process.wake.wait(0.01)
            process.wake.clear()
            process.wake.set()
            sys.settrace(None)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(10)

        self.assertFalse(thread.is_alive())
