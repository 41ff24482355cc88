"""The boundary sweep: killed before any statement or COMMIT, every workflow ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

from django.db import connections
from django.test import TransactionTestCase

#: Pairs of crashes in each scenario, the second in the recovery from the first; `make stress` asks for many.
PAIRS = int(os.environ.get("DURABLE_TEST_PAIRS", "1"))


class AWorkflowKilledAtAnyBoundary(TransactionTestCase):
    def sweep(self, scenario: str, *, every: int = 1) -> dict:
        """
        Crash at every boundary of the scenario, then at some pairs; what is not as it should be fails the test.

        every  in a long scenario, only at every third one, say; another third each time
        """
        connections.close_all()
        command = [sys.executable, "-m", "tests.crashes.sweep"]
        done = subprocess.run(
            [*command, scenario, "--pairs", str(PAIRS), "--every", str(every), "--seed", str(random.randrange(10**6))],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual({}, report["wrong"])
        # The shortest one has nine: what only looks whether there is something to do is none.
        self.assertGreater(report["boundaries"], 8)
        return report["expected"]

    def test_with_plain_and_atomic_steps(self):
        """Atomic steps take effect once, plain ones at least once and at most once more for each crash."""
        expected = self.sweep("plain_and_atomic")

        self.assertEqual({"p1": 1, "a2": 1, "a3": 1, "p4": 1}, expected["marks"])

    def test_that_waits_between_retries(self):
        """F14: count and time of a retry are kept; the workflow is woken when it is due."""
        expected = self.sweep("suspended")

        self.assertEqual([1, 0], [step[-1] for step in expected["steps"]])

    def test_that_naps_between_retries(self):
        """F14: short retries within one attempt are counted in the row all the same."""
        expected = self.sweep("napping")

        self.assertEqual([0, 1, 1], [step[-1] for step in expected["steps"]])

    def test_that_compensates_a_failed_step(self):
        """Replay raises the recorded error again, so that the code takes the same way."""
        expected = self.sweep("compensated")

        self.assertEqual("succeeded", expected["workflow"][0])

    def test_that_is_retried_as_a_whole(self):
        """What succeeded is replayed, what fails runs again, and leaves nothing but the error."""
        expected = self.sweep("retried_as_a_whole")

        self.assertEqual(("failed", 1), (expected["workflow"][0], expected["workflow"][4]))
        self.assertEqual({"p1": 1}, expected["marks"])

    def test_that_passes_its_deadline(self):
        """C18: the deadline is kept, whoever dies; the workflow ends cancelled."""
        expected = self.sweep("cancelled_at_its_deadline")

        self.assertEqual("cancelled", expected["workflow"][0])

    def test_that_sleeps(self):
        """C17: whoever dies, it wakes at the recorded moment, and sleeps once."""
        expected = self.sweep("asleep")

        self.assertEqual({"p2": 1, "a4": 1}, expected["marks"])

    def test_that_receives_from_another_one(self):
        """E5: each message is sent once and received once, in order, in whichever of the two the crash came."""
        expected = self.sweep("conversing", every=3)

        self.assertEqual("[null,1,2,3]", expected["workflow"][1])
        self.assertEqual([["1", 2], ["2", 3], ["3", 4]], expected["messages"])

    def test_that_publishes_to_another_one(self):
        """E12, E13: each value is published once, and who reads it keeps what was read."""
        expected = self.sweep("publishing", every=3)

        self.assertEqual('["first","second"]', expected["others"][0][0][1])
        self.assertEqual(
            [["log", 0, "1"], ["log", 1, "2"], ["log", 2, "3"]], [each[:3] for each in expected["entries"]]
        )
        self.assertEqual(["first", "second"], [json.loads(value) for _key, value, _position in expected["changes"]])

    def test_that_has_children(self):
        """Each child is started once, under the same id, and runs to its end; the parent gets what came of it."""
        expected = self.sweep("growing")

        self.assertEqual('["a1","a2","a3"]', expected["workflow"][1])
        self.assertEqual(3, len(expected["others"]))

    def test_that_branches(self):
        """Every branch finds its own history, in threads and in an event loop."""
        for scenario in ("branching", "branching_in_loop"):
            expected = self.sweep(scenario, every=2)

            self.assertEqual('[["a1-1","p1-2"],["a2-1","p2-2"],"a3"]', expected["workflow"][1])
            self.assertEqual({"a1-1": 1, "a2-1": 1, "a3": 1, "p1-2": 1, "p2-2": 1}, expected["marks"])

    def test_that_has_children_on_branches(self):
        """Those that are started together are each one, and so is each of their answers."""
        expected = self.sweep("fanning_out", every=2)

        self.assertEqual(["a1", "a2", "a3", "a4", "it fails", "['a5-1', 'p5-2']"], json.loads(expected["workflow"][1]))
        self.assertEqual((5, 13), (len(expected["others"]), len(expected["steps"])))

    def test_whose_step_takes_too_long(self):
        """The timeout is the step's outcome."""
        expected = self.sweep("timed_out")

        self.assertEqual("failed", expected["workflow"][0])
