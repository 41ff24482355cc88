"""Operators and workers that are killed in the midst of a verb: it is done, or undone, and can be done again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from django.db import connections
from django.db.models import Count

import durable_django as durable
from durable_django.models import EventChange, Step, StreamEntry, Workflow
from tests.behaviour.retaining import ended
from tests.crashes.harness import CrashTestCase, wait_until
from tests.sample import flags
from tests.sample.crashing import held_in_plain, marks
from tests.sample.operated import follows, forks_and_cancels, is_followed, tells

COUNT, STEPS = 3, 5
TURNS = 8


class OperatorsThatAreKilled(CrashTestCase):
    def operate(self, verb: str, fault: dict[str, str] | None = None) -> str:
        """Do it in a process of its own, which is killed if there is a fault. Return what it printed."""
        environment = {**os.environ, **({"DURABLE_TEST_FAULT": json.dumps(fault)} if fault else {})}
        command = [sys.executable, "-m", "tests.crashes.operator", verb]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(-signal.SIGKILL if fault else 0, done.returncode, (fault, done.stderr))
        return done.stdout.strip()

    def hurt(self, verb: str, *places: tuple[str, str]) -> None:
        """Let it be killed at each of these places."""
        for number, (at, when) in enumerate(places):
            self.operate(verb, {"at": at, "when": when, "action": "kill", "once": f"fault-{number}"})
            self.assert_whole()

    def assert_whole(self) -> None:
        """No workflow has only a part of its steps, unless it is marked so that nobody goes on with it."""
        torn = Workflow.objects.filter(pruned_at__isnull=True).annotate(count=Count("steps")).exclude(count=STEPS)
        self.assertEqual([], list(torn.values_list("pk", "count")))

    def test_leave_whole_forks(self) -> None:
        """Or none; asked again, what is missing is forked, and nothing twice."""
        ended(COUNT, steps=STEPS, status="failed", output=None, error="{}")
        self.hurt(
            "fork",
            ('INSERT INTO "durable_django_workflow"', "after"),
            ('INSERT INTO "durable_django_step"', "after"),
            ("COMMIT", "before"),
            ("COMMIT", "after"),
        )
        first = self.operate("fork")
        again = self.operate("fork")

        self.assert_whole()
        self.assertEqual((str(COUNT - 1), "0", 2 * COUNT), (first, again, Workflow.objects.count()))

    def test_leave_nothing_that_is_purged_in_part(self) -> None:
        """F8: asked again, the rest goes."""
        ended(COUNT, steps=STEPS)
        self.hurt(
            "purge",
            ('DELETE FROM "durable_django_step"', "after"),
            ('UPDATE .* "pruned_at"', "after"),
            ('DELETE FROM "durable_django_workflow"', "before"),
            ('DELETE FROM "durable_django_workflow"', "after"),
        )
        self.assertEqual(str(COUNT), self.operate("purge"))

        self.assertEqual((0, 0), (Workflow.objects.count(), Step.objects.count()))

    def test_leave_trees_that_can_be_cancelled_again(self) -> None:
        """The root was cancelled, its children not yet: the second time reaches them through it."""
        for pk, parent in (("root", None), ("a", "root"), ("b", "root"), ("c", "a")):
            marks.using(id=pk).start(pk)
            Workflow.objects.filter(pk=pk).update(parent_id=parent)
        fault = {"at": '"parent_id" IN', "when": "before", "action": "kill"}
        self.operate("cancel", fault)
        before = dict(Workflow.objects.values_list("pk", "status"))
        self.operate("cancel")

        self.assertEqual({"root": "cancelled", "a": "queued", "b": "queued", "c": "queued"}, before)
        self.assertEqual({"cancelled"}, set(Workflow.objects.values_list("status", flat=True)))


class WorkersThatAreKilled(CrashTestCase):
    def hurt(self, at: str, when: str, *ids: str) -> None:
        """Run these to their end with a worker process that is killed there, and is replaced."""
        self.start_worker(fault={"at": at, "when": when, "action": "kill"})
        self.wait_for_end(*ids)
        self.assertTrue((self.folder / "fault").exists())

    def test_start_what_follows_once(self) -> None:
        """The end and what follows it are one transaction."""
        for number in range(COUNT):
            is_followed.using(id=f"w{number}").start(f"w{number}")
        self.hurt('INSERT INTO "durable_django_workflow"', "after")

        self.assertEqual(COUNT, Workflow.objects.filter(name=follows.name).count())
        self.assert_made_once(*(f"behind-w{number}" for number in range(COUNT)))

    def test_do_the_verbs_of_a_workflow_once(self) -> None:
        """One transaction with its record, or under ids that derive from it."""
        places = (
            ('INSERT INTO "durable_django_workflow"', "after"),
            ("COMMIT", "after"),
            ('UPDATE "durable_django_workflow" .*"reason"', "after"),
        )
        for number, (at, when) in enumerate(places):
            with self.subTest(at=at):
                self.set_up_others()
                handle = forks_and_cancels.using(id=f"forks_and_cancels-{number}").start("ended", "live")
                self.hurt(at, when)
                fork_id, *_counts, was_live = handle.result(timeout=60)
                forks = Workflow.objects.filter(forked_from="ended").order_by("line").values_list("pk", flat=True)

                self.assertEqual((fork_id, 2, False), (forks[0], len(forks), was_live))
                self.assertEqual("cancelled", Workflow.objects.get(pk="live").status)
                self.tear_down_others()

    def set_up_others(self) -> None:
        marks.using(id="live", delay=3600).start("live")
        marks.using(id="ended").start("ended")
        Workflow.objects.filter(pk="ended").update(status="succeeded", finished_at="2020-02-29T12:00:00Z")

    def tear_down_others(self) -> None:
        self.assertEqual(0, self.workers.pop().stop())
        (self.folder / "fault").unlink()
        Workflow.objects.purge()
        self.assertEqual(0, Workflow.objects.count())


class AWorkflowThatRuns(CrashTestCase):
    def test_is_forked_from_every_step_whoever_dies(self) -> None:
        """F5: each fork is whole, and so is the original, though the worker of both is killed again and again."""
        worker = self.start_worker()
        handle = tells.using(id="origin").start(TURNS)
        forks = []
        for place in range(1, 3 * TURNS + 1):
            forks.append(handle.workflow.fork(from_step=place, id=f"fork-{place}").pk)
            if place in {TURNS, 2 * TURNS}:
                self.kill_child(worker)
        self.wait_for_end()

        for pk in ("origin", *forks):
            self.assertEqual(TURNS, durable.get_handle(pk).result())
            self.assertEqual(3 * TURNS, Step.objects.filter(workflow=pk).count(), pk)
            self.assertEqual([*range(TURNS)], list(durable.read_stream(pk, "all")), pk)
            # Of a plain step that was interrupted it may be written again.
            self.assertEqual({*range(TURNS)}, set(durable.read_stream(pk, "other")), pk)
            self.assertLessEqual(2 * TURNS, EventChange.objects.filter(workflow=pk).count(), pk)
        self.assertEqual(len(forks) + 1, StreamEntry.objects.filter(key="all", offset=0).count())

    def kill_child(self, worker: Any) -> None:
        wait_until(lambda: worker.children, "a process lives")
        for pid in worker.children:
            os.kill(pid, signal.SIGKILL)

    def test_is_not_purged(self) -> None:
        """F8: somebody purges all the time; each one is whole until it has ended and let go."""
        self.start_worker()
        keys = [f"w{number}" for number in range(20)]
        counts, stop = [], threading.Event()

        def purge() -> None:
            try:
                while not stop.is_set():
                    counts.append(Workflow.objects.purge())
            finally:
                connections.close_all()

        thread = threading.Thread(target=purge)
        thread.start()
        try:
            for key in keys:
                marks.using(id=key).start(key)
            wait_until(lambda: not Workflow.objects.exists(), "all were purged")
        finally:
            stop.set()
            thread.join()

        self.assertEqual((len(keys), 0), (sum(counts), Step.objects.count()))
        self.assert_made_once(*(f"{key}-{place}" for key in keys for place in (1, 2, 3)))

    def test_is_not_purged_before_it_has_let_go(self) -> None:
        """F8: cancelled in the midst of a step, which is recorded all the same."""
        self.start_worker()
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")
        handle.workflow.cancel()
        first = Workflow.objects.purge()
        self.let_go_on("w")
        wait_until(lambda: handle.refresh().workflow.worker is None, "the attempt has let go")

        self.assertEqual((0, 2), (first, Step.objects.filter(workflow=handle.id).count()))
        self.assertEqual((1, 0), (Workflow.objects.purge(), flags.times("in-w-next")))
