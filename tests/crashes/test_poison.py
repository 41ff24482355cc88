"""A workflow that kills whoever runs it is given up, and takes nobody along."""

from __future__ import annotations

from durable_django import RecoveriesExhausted
from tests.crashes.harness import CrashTestCase
from tests.sample import flags
from tests.sample.crashing import marks, poison


class APoisonWorkflow(CrashTestCase):
    def test_ends_failed_while_its_neighbours_finish(self):
        """A17, A18: attempts are counted at the claim; it dies alone from the third loss on; mended, it resumes."""
        self.start_worker()
        bad = poison.start("bad")
        neighbours = [marks.start(f"w{number}") for number in range(20)]

        self.wait_for_end(*[handle.id for handle in neighbours], bad.id)

        with self.assertRaises(RecoveriesExhausted):
            bad.result()
        self.assertEqual(4, flags.times("in-bad"))
        self.assertEqual((4, 4), (bad.workflow.attempt, bad.workflow.recoveries))
        self.assertEqual({"succeeded"}, {handle.refresh().status for handle in neighbours})
        self.assert_made_once(*[f"w{number}-{place}" for number in range(20) for place in (1, 3)])

        flags.raise_flag("mended")
        self.assertTrue(bad.workflow.resume())
        self.assertEqual("bad", bad.result(timeout=60))
