"""Steps that take longer than the lease: the heartbeat keeps it, and nobody else begins the same work."""

from __future__ import annotations

from unittest import skipUnless

from durable_django import StepTimeout
from tests.crashes.harness import SHORT_LEASE, CrashTestCase, is_postgresql, wait_until
from tests.sample import flags
from tests.sample.crashing import (
    burns,
    marks,
    takes_long,
    takes_long_atomically,
    takes_long_in_a_block,
    takes_long_in_its_own_block,
    takes_too_long,
)

SETTINGS = {**SHORT_LEASE, "HEARTBEAT_SECONDS": 0.25}
SECONDS = 2.5 * SETTINGS["LEASE_SECONDS"]


class AStepLongerThanTheLease(CrashTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start_worker(settings=SETTINGS)
        self.start_worker(settings=SETTINGS)

    def assert_ran_once(self, *handles) -> None:
        for handle in handles:
            handle.result(timeout=60)
            self.assertEqual(1, handle.refresh().workflow.attempt)

    def test_is_run_once(self):
        """B6: some sleep, some use all the time of the processor that they can get; an idle neighbour waits."""
        handles = [takes_long.start(f"w{number}", SECONDS) for number in range(4)]
        handles += [burns.start(f"w{number}", SECONDS) for number in range(4, 8)]

        self.assert_ran_once(*handles)

        self.assertEqual([1] * 8, [flags.times(f"in-w{number}") for number in range(8)])

    def test_that_is_atomic_is_run_once(self):
        """B6: no heartbeat can be written beside it on SQLite; its own transaction extends the lease."""
        handle = takes_long_atomically.start("w", SECONDS)

        self.assert_ran_once(handle)

        self.assert_made_once("w")
        self.assertEqual(1, flags.times("in-w-next"))

    @skipUnless(is_postgresql(), "on SQLite a transaction of the step's own keeps the heartbeat from being written")
    def test_may_idle_in_a_transaction_of_its_own(self):
        """B6: the server ends idle transactions after a lease, but not that of a worker that beats."""
        handles = [takes_long_in_a_block.start("w0", SECONDS), takes_long_in_its_own_block.start("w1", SECONDS)]

        self.assert_ran_once(*handles)

        self.assert_made_once("w0", "w0-end", "w1", "w1-end")
        self.assertEqual([1, 1], [flags.times("in-w0"), flags.times("in-w1")])


class StepsPastTheirTimeout(CrashTestCase):
    def test_that_hold_every_thread_end_the_process(self):
        """Nothing else could run in it: another takes its place, and the workflows go on with their timeouts."""
        worker = self.start_worker("--threads", "2", "--grace", "0")
        before = worker.child

        handles = [takes_too_long.start(key) for key in ("a", "b")]

        wait_until(lambda: before not in worker.children, "the process has ended")
        self.assertTrue(worker.has_said("steps past their timeout hold every thread"))
        for handle in handles:
            with self.assertRaises(StepTimeout):
                handle.result(timeout=60)
        self.assertEqual(["w-1", "w-2", "w-3"], marks.start("w").result(timeout=60))
        self.assertEqual([1, 1], [flags.times(f"in-{key}") for key in ("a", "b")])

    def test_that_leave_a_thread_free_end_nothing(self):
        """The other threads go on, in the same process."""
        worker = self.start_worker("--threads", "2")
        before = worker.child
        handle = takes_too_long.start("a")

        with self.assertRaises(StepTimeout):
            handle.result(timeout=60)

        self.assertEqual(["w-1", "w-2", "w-3"], marks.start("w").result(timeout=60))
        self.assertEqual([before], worker.children)
