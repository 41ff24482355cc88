"""Operators and a running workflow: what they do takes effect at the next step, once, whatever races with it."""

from __future__ import annotations

import random
import threading
from unittest import skipUnless

from django.db import connections

from durable_django.models import Step, Workflow
from tests.crashes.harness import CrashTestCase, is_postgresql, wait_until
from tests.sample import flags
from tests.sample.crashing import held_in_atomic, held_in_plain, marks

#: In each of three threads.
TRIALS = 50
HELD_UP = "on SQLite nobody can write beside an open atomic step: the verb waits for its end"


class AnOperatorDuringAStep(CrashTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start_worker()

    def hold(self, definition):
        """Start a workflow and return its handle when it is in the step that the test holds."""
        handle = definition.start("w")
        self.wait_for_flag("in-w")
        return handle

    def wait_until_let_go(self, handle) -> None:
        wait_until(lambda: handle.refresh().workflow.worker is None, "the attempt has let go")

    def test_pauses_and_resumes(self):
        """The old attempt lets go behind its step before a new one begins; the step runs once."""
        handle = self.hold(held_in_plain)

        self.assertTrue(handle.workflow.pause())
        self.assertTrue(handle.workflow.resume())
        self.let_go_on("w")

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual((1, 1), (flags.times("in-w"), flags.times("in-w-next")))
        self.assertEqual(2, handle.workflow.attempt)
        self.assert_made_once("w-before", "w")

    @skipUnless(is_postgresql(), HELD_UP)
    def test_pauses_and_resumes_an_atomic_one(self):
        """It commits whole under the old attempt, or not at all and once under the new one."""
        handle = self.hold(held_in_atomic)

        self.assertTrue(handle.workflow.pause())
        self.assertTrue(handle.workflow.resume())
        self.let_go_on("w", call=1)
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual(1, flags.times("in-w-next"))
        self.assert_made_once("w-before", "w")

    def test_cancels(self):
        """F2: it is cancelled at once, the plain step that runs is still recorded, no further one starts."""
        handle = self.hold(held_in_plain)

        self.assertTrue(handle.workflow.cancel("enough"))
        self.assertEqual("cancelled", handle.refresh().status)
        self.let_go_on("w")
        self.wait_until_let_go(handle)

        self.assertEqual("cancelled", handle.status)
        self.assertEqual(["atomic_mark", "held"], self.steps(handle))
        self.assertEqual(0, flags.times("in-w-next"))

    @skipUnless(is_postgresql(), HELD_UP)
    def test_cancels_an_atomic_one(self):
        """F2: its writes and its checkpoint are both there or both not."""
        handle = self.hold(held_in_atomic)

        self.assertTrue(handle.workflow.cancel())
        self.let_go_on("w")
        self.wait_until_let_go(handle)

        self.assertEqual("cancelled", handle.status)
        self.assertEqual(self.marks()["w"], self.steps(handle).count("held_atomic"))
        self.assertEqual(0, flags.times("in-w-next"))

    def test_cancels_and_resumes(self):
        """A change of mind within one step: the step runs once, the workflow goes on behind it."""
        handle = self.hold(held_in_plain)

        self.assertTrue(handle.workflow.cancel())
        self.assertTrue(handle.refresh().workflow.resume())
        self.let_go_on("w")

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual(1, flags.times("in-w"))

    def steps(self, handle) -> list[str]:
        return list(Step.objects.filter(workflow_id=handle.id).order_by("position").values_list("name", flat=True))


class CancellationAgainstCompletion(CrashTestCase):
    def test_leaves_each_workflow_in_the_one_state_that_was_reported(self):
        """F1: cancel() says True: cancelled for good. It says False: succeeded, with all its steps."""
        worker = self.start_worker()
        told: dict[str, bool] = {}
        threads = [threading.Thread(target=start_and_cancel, args=(number, told)) for number in range(3)]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.wait_for_end()
        before = self.outcomes()
        self.assertEqual(0, worker.stop())

        self.assertEqual(before, self.outcomes())
        self.assertEqual(
            {key: "cancelled" if was_live else "succeeded" for key, was_live in told.items()},
            {pk: status for pk, status, *_rest in before},
        )
        self.assertEqual(0, Workflow.objects.filter(worker__isnull=False).count())
        self.assert_all_or_nothing(told)

    def outcomes(self):
        return list(Workflow.objects.order_by("pk").values_list("pk", "status", "output", "finished_at"))

    def assert_all_or_nothing(self, keys) -> None:
        """Each mark of an atomic step is made once if the step is recorded, else not at all."""
        recorded = set(Step.objects.values_list("workflow_id", "position"))
        found = self.marks()
        for key in keys:
            for place in (1, 3):
                self.assertEqual(int((key, place) in recorded), found[f"{key}-{place}"])


def start_and_cancel(thread: int, told: dict[str, bool]) -> None:
    """Start workflows, and cancel each after about as long as one takes."""
    chance = random.Random(thread)
    pause = threading.Event()
    try:
        for number in range(TRIALS):
            key = f"w{thread}-{number}"
            marks.using(id=key).start(key)
            pause.wait(chance.random() * 0.04)
            told[key] = Workflow.objects.get(pk=key).cancel("race")
    finally:
        connections.close_all()
