"""Frozen workers: SIGSTOP for longer than the lease, with and without SIGCONT. A zombie changes nothing any more."""

from __future__ import annotations

import os
import signal
import time
from unittest import skipIf, skipUnless

from django.db import transaction

from durable_django.base import hosts
from durable_django.models import Step, Worker, Workflow
from tests.crashes.harness import SHORT_LEASE, CrashTestCase, WorkerUnderTest, is_postgresql, wait_until
from tests.sample import flags
from tests.sample.crashing import held_at_first, held_in_atomic, held_in_plain, marks, names_its_process

RECORD = {"at": 'INSERT INTO "durable_django_step"', "when": "before", "action": "stop"}
COMMIT = {"at": "COMMIT", "when": "before", "action": "stop"}
OUTCOME = {"at": 'SET "status".*"output"', "when": "before", "action": "stop"}
#: Two of these have to be enough, also on a machine under load.
MEASURED_LEASE = {**SHORT_LEASE, "LEASE_SECONDS": 4}
HELD_BY_A_FROZEN_WRITER = "on SQLite a frozen writer holds the lock of the whole file"


def wait_until_frozen(pid: int) -> None:
    wait_until(lambda: hosts.is_stopped(pid), "the process is frozen")


class FrozenTestCase(CrashTestCase):
    def start_victim(
        self, settings: dict[str, float] = SHORT_LEASE, fault: dict[str, str] | None = None
    ) -> WorkerUnderTest:
        """Start a worker whose supervisor is frozen at once, so that nobody kills its frozen child."""
        victim = self.start_worker(settings=settings, fault=fault)
        victim.freeze_supervisor()
        return victim

    def assert_ends_harmlessly(self, victim: WorkerUnderTest) -> None:
        """The thawed worker drains, which takes every thread of it to its end."""
        victim.thaw()
        self.assertEqual(0, victim.stop())


class AZombie(FrozenTestCase):
    def test_in_a_plain_step_starts_no_further_step(self):
        """B1, B2, B4: thawed while another worker runs the same step, it lets go, and comes back under a new id."""
        victim = self.start_victim()
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")
        zombie = victim.child
        victim.freeze()
        other = self.start_worker()
        self.wait_for_flag("in-w", times=2)

        victim.thaw()
        self.let_go_on("w", call=1)
        wait_until(lambda: victim.has_said(f"{handle.id}: let go"), "the zombie has let go")
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assert_reached_only_by(other.child, "in-w-next")
        self.assertEqual([zombie, other.child], flags.processes("in-w"))
        self.assertEqual(2, handle.refresh().workflow.attempt)
        former, present = Worker.objects.filter(pid=zombie).order_by("started_at")
        self.assertLess(former.lease_expires_at, present.started_at)

    def test_whose_successor_has_finished_finds_nothing_to_do(self):
        """B2, B3: the workflow has ended when the zombie wakes up; neither a step nor an outcome is added."""
        victim = self.start_victim()
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")
        victim.freeze()
        other = self.start_worker()
        self.let_go_on("w", call=2)
        handle.result(timeout=60)
        ended = handle.workflow

        self.let_go_on("w", call=1)
        self.assert_ends_harmlessly(victim)

        self.assert_reached_only_by(other.child, "in-w-next")
        self.assertEqual(3, Step.objects.filter(workflow_id=handle.id).count())
        self.assertEqual(ended.finished_at, handle.refresh().workflow.finished_at)

    def test_about_to_record_a_step_is_refused_though_it_comes_first(self):
        """B3: it looked at its clock before it was frozen; the write itself carries the fence."""
        victim = self.start_victim(fault=RECORD)
        self.let_go_on("w", call=1)
        handle = held_at_first.start("w")
        wait_until_frozen(victim.child)
        other = self.start_worker()
        self.wait_for_flag("in-w", times=2)

        victim.thaw()
        wait_until(lambda: victim.has_said(f"{handle.id}: let go"), "the zombie has let go")
        self.let_go_on("w", call=2)

        self.assertEqual(["w", "w-next"], handle.result(timeout=60))
        self.assertEqual([2, 2], list(Step.objects.order_by("position").values_list("attempt", flat=True)))
        self.assert_reached_only_by(other.child, "in-w-next")

    @skipUnless(is_postgresql(), HELD_BY_A_FROZEN_WRITER)
    def test_in_an_atomic_step_applies_nothing_though_it_comes_first(self):
        """B1: its transaction is refused as a whole while the successor is still in the same step."""
        victim = self.start_victim()
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")
        victim.freeze()
        other = self.start_worker()
        self.wait_for_flag("in-w", times=2)

        victim.thaw()
        self.let_go_on("w", call=1)
        wait_until(lambda: victim.has_said(f"{handle.id}: let go"), "the zombie has let go")
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assert_made_once("w-before", "w")
        self.assert_reached_only_by(other.child, "in-w-next")

    @skipUnless(is_postgresql(), HELD_BY_A_FROZEN_WRITER)
    def test_in_an_atomic_step_applies_nothing_after_its_successor(self):
        """B1: the ledger shows the successor's write alone."""
        victim = self.start_victim()
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")
        victim.freeze()
        other = self.start_worker()
        self.let_go_on("w", call=2)
        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))

        self.let_go_on("w", call=1)
        self.assert_ends_harmlessly(victim)

        self.assert_made_once("w-before", "w")
        self.assert_reached_only_by(other.child, "in-w-next")

    def test_before_its_outcome_is_refused(self):
        """B3: the outcome of the successor stays, though the zombie would write another."""
        victim = self.start_victim(fault=OUTCOME)
        handle = names_its_process.start("w")
        wait_until_frozen(victim.child)
        other = self.start_worker()
        self.assertEqual(other.child, handle.result(timeout=60))

        self.assert_ends_harmlessly(victim)

        self.assertEqual(other.child, handle.refresh().result())
        self.assertEqual(2, handle.workflow.attempt)


class AWorkerThatIsFrozenForGood(FrozenTestCase):
    def assert_finished_beside(self, victim: WorkerUnderTest, frozen: int) -> None:
        """A child alone is frozen: another worker, or its replacement, finishes within two leases."""
        frozen_at = time.monotonic()
        self.wait_for_end(seconds=60)
        seconds = time.monotonic() - frozen_at
        self.assertLess(seconds, 2 * MEASURED_LEASE["LEASE_SECONDS"])
        wait_until(lambda: frozen not in victim.children, "the supervisor has killed the frozen child")

    def test_inside_an_atomic_body_is_killed_by_its_supervisor(self):
        """What it held open ends with it, also the lock of a SQLite file; others finish within two leases."""
        workers = [self.start_worker(settings=MEASURED_LEASE) for _number in range(2)]
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")
        self.let_go_on("w", call=2)

        frozen = Worker.objects.get(pk=handle.refresh().workflow.worker).pid
        (victim,) = (worker for worker in workers if frozen in worker.children)
        os.kill(frozen, signal.SIGSTOP)
        self.assert_finished_beside(victim, frozen)

        self.assertEqual(["w-before", "w", "w-next"], handle.result())
        self.assert_made_once("w-before", "w")

    @skipIf(is_postgresql(), "PostgreSQL ends the transaction of a frozen worker by itself")
    def test_between_insert_and_commit_is_killed_by_its_supervisor(self):
        """Neither the step's row nor the body's writes come to be; others finish within two leases."""
        victim = self.start_worker(settings=MEASURED_LEASE, fault=COMMIT)
        child = victim.child
        handle = marks.start("w")
        wait_until_frozen(child)
        # How long a process takes to start is the machine's affair.
        other = self.launch_worker()
        wait_until(lambda: other.has_said("(boot)") or handle.refresh().workflow.is_finished, "another worker asks")

        self.assert_finished_beside(victim, child)

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result())
        self.assert_made_once("w-1", "w-2", "w-3")

    @skipUnless(is_postgresql(), HELD_BY_A_FROZEN_WRITER)
    def test_together_with_its_supervisor_inside_an_atomic_body(self):
        """PostgreSQL itself ends the open transaction; another worker finishes within two leases."""
        victim = self.start_victim(MEASURED_LEASE)
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")
        self.start_worker()
        self.let_go_on("w", call=2)

        victim.freeze()
        frozen_at = time.monotonic()
        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))

        self.assertLess(time.monotonic() - frozen_at, 2 * MEASURED_LEASE["LEASE_SECONDS"])
        self.assert_made_once("w-before", "w")

    @skipUnless(is_postgresql(), HELD_BY_A_FROZEN_WRITER)
    def test_together_with_its_supervisor_between_insert_and_commit(self):
        """Its uncommitted row blocks the successor on the unique index no longer than a lease."""
        victim = self.start_victim(MEASURED_LEASE, fault=COMMIT)
        other = self.start_worker()
        other_pid = other.child
        os.kill(other_pid, signal.SIGSTOP)
        handle = marks.start("w")
        wait_until_frozen(victim.child)

        frozen_at = time.monotonic()
        os.kill(other_pid, signal.SIGCONT)
        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))

        self.assertLess(time.monotonic() - frozen_at, 2 * MEASURED_LEASE["LEASE_SECONDS"])
        self.assert_made_once("w-1", "w-2", "w-3")

    @skipIf(is_postgresql(), "PostgreSQL ends the transaction of a frozen worker by itself")
    def test_together_with_its_supervisor_holds_sqlite_up_until_it_is_killed(self):
        """Nobody can write beside a frozen writer; nothing is lost, and all goes on when it ends."""
        victim = self.start_victim()
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")
        victim.freeze()
        launched = self.launch_worker()
        wait_until(lambda: Workflow.objects.orphaned().count() == 1, "the lease of the frozen worker has passed")

        victim.kill_all()
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assert_made_once("w-before", "w")
        self.assert_reached_only_by(launched.child, "in-w-next")


@skipUnless(is_postgresql(), "needs a lock on one row")
class AWorkerWhoseHeartbeatIsBlocked(FrozenTestCase):
    def test_stops_by_its_own_clock(self):
        """B7: it starts no step after its lease, though nobody has taken over yet and nothing tells it."""
        victim = self.start_worker(settings=SHORT_LEASE)
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        with transaction.atomic():
            Worker.objects.select_for_update().get(pid=victim.child)
            wait_until(lambda: not Worker.objects.alive().exists(), "the lease has passed")
            self.let_go_on("w", call=1)
            wait_until(lambda: victim.has_said(f"{handle.id}: let go"), "the blocked worker has let go")
            self.assertEqual(0, flags.times("in-w-next"))

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual((1, 2), (flags.times("in-w"), handle.refresh().workflow.attempt))
