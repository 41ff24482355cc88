"""Steps that take longer than the lease: the heartbeat keeps it, and nobody else begins the same work."""

from __future__ import annotations

from tests.crashes.harness import SHORT_LEASE, CrashTestCase
from tests.sample import flags
from tests.sample.crashing import burns, takes_long, takes_long_atomically

SETTINGS = {**SHORT_LEASE, "HEARTBEAT_SECONDS": 0.25}
SECONDS = 1.5 * SETTINGS["LEASE_SECONDS"]


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
