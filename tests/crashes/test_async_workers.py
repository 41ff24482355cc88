"""Worker processes with async workflows: many side by side on few connections; killed, frozen, told to end."""

from __future__ import annotations

import signal
import time
from unittest import skipUnless

from django.db import connection

from durable_django.models import Worker, Workflow
from tests.crashes.harness import LONG_LEASE, SHORT_LEASE, CrashTestCase, is_postgresql, wait_until
from tests.sample import flags
from tests.sample.branching import nests
from tests.sample.looping import (
    gathers_held,
    held_async,
    held_async_atomically,
    held_async_in_thread,
    mixes_steps,
    nap_in_step,
    query_in_step,
    writes_a_lot,
)


def seconds_together(ids):
    """Return the time from the first claim to the last end, by the database's clock."""
    rows = Workflow.objects.filter(pk__in=ids).values_list("started_at", "finished_at")
    return (max(end for _start, end in rows) - min(start for start, _end in rows)).total_seconds()


class ManyAtTheSameTime(CrashTestCase):
    def run_all(self, handles):
        ids = [handle.id for handle in handles]
        self.wait_for_end(*ids)
        self.assertEqual({"succeeded"}, set(Workflow.objects.filter(pk__in=ids).values_list("status", flat=True)))
        return seconds_together(ids)

    def test_that_wait_for_the_network_wait_together(self):
        """A hundred that each wait a fifth of a second in a step: one after the other, they would take twenty."""
        handles = nap_in_step.start_many([(0.2,)] * 100)
        self.start_worker()

        seconds = self.run_all(handles)

        self.assertLess(seconds, 5)

    @skipUnless(is_postgresql(), "SQLite runs queries in the process itself")
    def test_that_wait_for_the_database_wait_together(self):
        """Twenty whose query takes a fifth of a second, on fewer connections: not one after the other."""
        handles = query_in_step.start_many([(0.2,)] * 20)
        self.start_worker()

        seconds = self.run_all(handles)

        self.assertLess(seconds, 3)

    @skipUnless(is_postgresql(), "only a server counts connections")
    def test_use_few_connections(self):
        """Never more than ASYNC_CONNECTIONS, threads and two, however many workflows write at the same time."""
        settings = {**LONG_LEASE, "ASYNC_CONNECTIONS": 5}
        worker = self.start_worker("--threads", "2", settings=settings)
        handles = writes_a_lot.start_many([(10,)] * 60) + mixes_steps.start_many([(f"m{n}",) for n in range(40)])
        most = 0
        while Workflow.objects.filter(finished_at__isnull=True).exists():
            most = max(most, sessions_of_workers())
            time.sleep(0.02)

        self.run_all(handles)
        # The supervisor has a connection of its own.
        self.assertLessEqual(most, 5 + 2 + 2 + 1)
        self.assertGreater(most, 5)
        self.assertEqual(0, worker.stop())


def sessions_of_workers() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


class AnAsyncWorkerThatIsKilled(CrashTestCase):
    def test_leaves_its_workflows_to_another(self):
        """Plain and atomic steps, in the loop and in a thread: recorded ones stay, the one it was in runs again."""
        victim = self.start_worker()
        handles = {"a": held_async.start("a"), "t": held_async_in_thread.start("t")}
        for key in handles:
            self.wait_for_flag(f"in-{key}")

        victim.kill_all()
        self.start_worker()
        for key, handle in handles.items():
            self.wait_for_flag(f"in-{key}", times=2)
            self.let_go_on(key, call=2)
            self.assertEqual([f"{key}-before", key, f"{key}-after"], handle.result(timeout=60))

        self.assert_made_once("a-before", "a-after", "t-before", "t-after")
        self.assertEqual({2}, set(Workflow.objects.values_list("attempt", flat=True)))

    def test_in_an_atomic_step_takes_effect_once(self):
        """The transaction dies with it."""
        victim = self.start_worker()
        handle = held_async_atomically.start("w")
        self.wait_for_flag("in-w")

        victim.kill_all()
        self.start_worker()
        self.wait_for_flag("in-w", times=2)
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-after"], handle.result(timeout=60))
        self.assert_made_once("w-before", "w", "w-after")

    def test_in_a_gather_replays_each_branch_from_its_own_rows(self):
        """One sleeps, one is in its second step, one has ended: what was recorded stays, on its own line."""
        victim = self.start_worker()
        handle = gathers_held.start("w", 3)
        self.wait_for_flag("in-w")
        wait_until(lambda: self.marks()["other"] == 1 and self.marks()["sleeper-1"] == 1, "the others are that far")

        victim.kill_all()
        self.start_worker()
        self.wait_for_flag("in-w", times=2)
        self.let_go_on("w", call=2)

        expected = [["sleeper-1", "sleeper-2"], ["w-before", "w", "w-after"], "other"]
        self.assertEqual(expected, handle.result(timeout=60))
        self.assert_made_once("sleeper-1", "sleeper-2", "w-before", "w-after", "other")
        self.assertEqual(1, handle.workflow.steps.filter(kind="sleep").count())


class AnAsyncWorkerThatIsToldToEnd(CrashTestCase):
    def test_gives_its_workflows_back_at_their_next_step(self):
        """The steps that run end and are recorded; it exits 0, and another goes on behind them."""
        worker = self.start_worker()
        handles = {"a": held_async.start("a"), "t": held_async_in_thread.start("t")}
        for key in handles:
            self.wait_for_flag(f"in-{key}")

        worker.process.send_signal(signal.SIGTERM)
        wait_until(lambda: Worker.objects.filter(is_draining=True).exists(), "the worker drains")
        for key in handles:
            self.let_go_on(key)

        self.assertEqual(0, worker.wait())
        rows = Workflow.objects.values_list("status", "worker", "recoveries")
        self.assertEqual({("queued", None, 0)}, set(rows))
        self.start_worker()
        for key, handle in handles.items():
            self.assertEqual([f"{key}-before", key, f"{key}-after"], handle.result(timeout=60))
            self.assertEqual(1, flags.times(f"in-{key}"))

    def test_twice_ends_at_once(self):
        """Nobody waits for a step in the loop, or in a thread; others resume them."""
        worker = self.start_worker()
        held_async.start("a")
        held_async_in_thread.start("t")
        for key in ("a", "t"):
            self.wait_for_flag(f"in-{key}")

        worker.process.send_signal(signal.SIGTERM)
        wait_until(lambda: Worker.objects.filter(is_draining=True).exists(), "the worker drains")
        time.sleep(0.5)
        began = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)

        self.assertEqual(2, worker.wait())
        self.assertLess(time.monotonic() - began, 10)


class AnAsyncWorkflowThatIsCancelled(CrashTestCase):
    def test_is_interrupted_in_the_middle_of_a_step(self):
        """Not later than with the next heartbeat; another one beside it goes on."""
        self.start_worker()
        handle, neighbour = held_async.start("w"), held_async.start("n")
        self.wait_for_flag("in-w")
        self.wait_for_flag("in-n")
        began = time.monotonic()

        handle.refresh().workflow.cancel("enough")
        wait_until(lambda: handle.refresh().workflow.worker is None, "it let go")
        seconds = time.monotonic() - began
        self.let_go_on("n")

        self.assertLess(seconds, 5)
        self.assertEqual(["n-before", "n", "n-after"], neighbour.result(timeout=60))
        self.assertEqual(["amark"], [step.name for step in handle.workflow.steps.all()])

    def test_in_a_thread_is_recorded_first(self):
        """What cannot be interrupted is not forgotten; nobody goes on with the workflow beside it."""
        self.start_worker()
        handle = held_async_in_thread.start("w")
        self.wait_for_flag("in-w")

        handle.refresh().workflow.cancel("enough")
        time.sleep(1)
        held = handle.refresh().workflow.worker
        self.let_go_on("w")
        wait_until(lambda: handle.refresh().workflow.worker is None, "it let go")

        self.assertIsNotNone(held)
        self.assertEqual(
            ["amark", "held_in_thread"], [step.name for step in handle.workflow.steps.order_by("position")]
        )

    def test_in_an_atomic_step_is_rolled_back_whole(self):
        """It is interrupted, too, where it awaits."""
        self.start_worker()
        handle = held_async_atomically.start("w")
        self.wait_for_flag("in-w")

        if is_postgresql():
            handle.refresh().workflow.cancel("enough")
            wait_until(lambda: handle.refresh().workflow.worker is None, "it let go")
            self.assertEqual(0, self.marks()["w"])
        else:
            # On SQLite nobody can cancel while the transaction is open.
            self.let_go_on("w")
            self.assertEqual(["w-before", "w", "w-after"], handle.result(timeout=60))


class AFrozenAsyncWorker(CrashTestCase):
    def test_finds_its_workflows_taken_over(self):
        """It lets go in the middle of its step, and records nothing; the other one goes on."""
        victim = self.start_worker(settings=SHORT_LEASE)
        victim.freeze_supervisor()
        handle = held_async.start("w")
        self.wait_for_flag("in-w")
        zombie = victim.child
        victim.freeze()
        other = self.start_worker()
        self.wait_for_flag("in-w", times=2)

        victim.thaw()
        wait_until(lambda: victim.has_said(f"{handle.id}: let go"), "the zombie has let go")
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-after"], handle.result(timeout=60))
        self.assertEqual([zombie, other.child], flags.processes("in-w"))
        self.assert_made_once("w-before", "w-after")
        self.assertEqual(0, victim.stop())

    @skipUnless(is_postgresql(), "on SQLite a healthy writer keeps its lock as long as it likes")
    def test_is_not_taken_for_frozen_while_an_atomic_step_waits(self):
        """The session of a healthy one is kept awake, however long its body awaits inside the transaction."""
        self.start_worker(settings=SHORT_LEASE)
        handle = held_async_atomically.start("w")
        self.wait_for_flag("in-w")

        time.sleep(5)
        self.let_go_on("w")

        self.assertEqual(["w-before", "w", "w-after"], handle.result(timeout=60))
        self.assertEqual((1, 1), (flags.times("in-w"), handle.refresh().workflow.attempt))


class OneThread(CrashTestCase):
    def test_is_enough_for_a_chain_of_fifty(self):
        """Each level waits for the one below it without a thread."""
        self.start_worker("--threads", "1")

        self.assertEqual(50, nests.start(50).result(timeout=120))
