"""Processes that prune at the same time, some of which are killed on the way: nothing is lost, nothing is left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from durable_django.models import Step, Workflow, retention
from tests.behaviour.retaining import ended, left_of, sweep
from tests.crashes.harness import CrashTestCase
from tests.sample import flags

COUNT, STEPS = 2_000, 3


class Pruners(CrashTestCase):
    def setUp(self) -> None:
        super().setUp()
        long_ago = timezone.now() - timedelta(days=40)
        self.long_one, *_others = ended(1, steps=2 * retention.ROWS, at=long_ago)
        ended(COUNT, steps=STEPS, at=long_ago)
        self.kept = ended(COUNT // 10, steps=STEPS)

    def begin(self, count: int, fault: dict[str, str] | None = None) -> list[subprocess.Popen[str]]:
        """Let processes begin to sweep at the same moment."""
        environment = {**os.environ, **({"DURABLE_TEST_FAULT": json.dumps(fault)} if fault else {})}
        command = [sys.executable, "-m", "tests.crashes.pruner"]
        pruners = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        self.wait_for_flag("ready", times=count)
        flags.raise_flag("go")
        return pruners

    def assert_all_or_nothing(self) -> None:
        """Each workflow is whole, with every step, or pruned; those that ended lately are whole."""
        counted = Workflow.objects.annotate(count=Count("steps")).exclude(pk=self.long_one)
        torn = counted.filter(pruned_at__isnull=True).exclude(count=STEPS)
        self.assertEqual([], list(torn.values_list("pk", flat=True)[:5]))
        self.assertEqual(len(self.kept), Workflow.objects.filter(pk__in=self.kept, pruned_at__isnull=True).count())

    def assert_all_is_done(self) -> None:
        """Whatever was due is a bare row, and owns nothing any more."""
        self.assertEqual(COUNT + 1, Workflow.objects.filter(is_bare=True).count())
        self.assertEqual(len(self.kept) * STEPS, Step.objects.count())
        self.assertEqual(0, sweep())

    def test_at_the_same_time_share_the_work(self) -> None:
        """F8: each workflow is pruned once, by whoever is first; none waits for another, none fails."""
        pruners = self.begin(2)
        counts = [int(pruner.communicate(timeout=120)[0]) for pruner in pruners]

        self.assertEqual([0, 0], [pruner.returncode for pruner in pruners])
        self.assertEqual(COUNT + 1, sum(counts))
        self.assert_all_or_nothing()
        self.assert_all_is_done()

    def test_that_are_killed_leave_nothing_torn(self) -> None:
        """F8: whatever the statement, its transaction is undone; the next sweep goes on."""
        faults: tuple[Any, ...] = (
            {"at": 'DELETE FROM "durable_django_step"', "when": "after"},
            {"at": 'UPDATE .* "pruned_at"', "when": "before"},
            {"at": 'UPDATE .* "is_bare"', "when": "after"},
        )
        for number, fault in enumerate(faults):
            (pruner,) = self.begin(1, {**fault, "action": "kill", "once": f"fault-{number}"})
            pruner.communicate(timeout=120)

            self.assertEqual(-signal.SIGKILL, pruner.returncode, fault)
            self.assert_all_or_nothing()
            (self.folder / "ready").unlink()

        self.assertEqual({"Step": 2 * retention.ROWS}, left_of(self.long_one))
        sweep()
        self.assert_all_is_done()
