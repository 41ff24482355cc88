"""One workflow id, or one deduplication key, with which fifty callers start a workflow at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

from durable_django.models import Workflow
from tests.crashes.harness import CrashTestCase
from tests.sample import flags

PROCESSES = 5
THREADS = 10


class FiftyStartsAtOnce(CrashTestCase):
    def start_at_once(self, key: str, **options: str) -> Counter[str]:
        """Start a workflow with this key, or with one for each caller. Return how often each answer was given."""
        command = [sys.executable, "-m", "tests.crashes.starter", str(THREADS), key, json.dumps(options)]
        starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
        self.wait_for_flag("ready", times=PROCESSES)
        flags.raise_flag("go")
        return Counter(answer for starter in starters for answer in starter.communicate(timeout=60)[0].split())

    def test_with_equal_arguments_are_one_workflow(self):
        """A10: every caller gets a handle to the same workflow, which runs once."""
        self.start_worker()

        answers = self.start_at_once("w", id="one")

        self.assertEqual({"one": PROCESSES * THREADS}, answers)
        self.wait_for_end()
        self.assertEqual(1, Workflow.objects.get().attempt)
        self.assert_made_once("w-1", "w-2", "w-3")

    def test_with_other_arguments_are_refused_but_one(self):
        """A10: the same id with other arguments is a loud error, never silent reuse."""
        answers = self.start_at_once("", id="one")

        self.assertEqual({"one": 1, "WorkflowConflict": PROCESSES * THREADS - 1}, answers)
        self.assertEqual(1, Workflow.objects.count())

    def test_with_one_deduplication_key_are_one_workflow(self):
        """D12: one row lives, and everybody else hears its id."""
        answers = self.start_at_once("", deduplication_key="order-7")

        winner = Workflow.objects.get().pk
        self.assertEqual({winner: 1, f"DuplicateWorkflow:{winner}": PROCESSES * THREADS - 1}, answers)

    def test_that_take_the_holder_all_get_it(self):
        """Nobody has to handle an error."""
        answers = self.start_at_once("", deduplication_key="order-7", on_duplicate="return_existing")

        self.assertEqual({Workflow.objects.get().pk: PROCESSES * THREADS}, answers)
