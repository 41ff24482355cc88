"""The database ends sessions, crashes, is away or locked: workers come back by themselves, no step fails for it."""

from __future__ import annotations

import json
import os
import signal
from unittest import skipIf, skipUnless

from django.db import connection, connections, transaction

from durable_django import Debounce
from durable_django.base import registry
from durable_django.models import Step, Worker, Workflow
from tests.behaviour.claiming import claim, ids, start_ids, sync
from tests.crashes.harness import LONG_LEASE, SHORT_LEASE, CrashTestCase, is_postgresql, wait_until
from tests.postgres import server_to_restart
from tests.sample import flags
from tests.sample.crashing import (
    careful,
    held_at_first,
    held_before_atomic,
    held_in_atomic,
    held_in_plain,
    marks,
)
from tests.sample.queued import begins

only_postgresql = skipUnless(is_postgresql(), "SQLite has no server and no session that could be lost")


class TroubleTestCase(CrashTestCase):
    def assert_all_careful(self, count: int) -> None:
        """Each of the workflows w0, w1, ... has succeeded, reserved once, charged, and refunded nothing."""
        self.wait_for_end()
        found = Workflow.objects.filter(name="sample.careful")
        self.assertEqual([], list(found.exclude(status="succeeded").values_list("status", "reason", "error")))
        self.assertEqual(count, found.count())
        self.assert_made_once(*[f"w{number}-reserve" for number in range(count)])
        made = self.marks()
        self.assertEqual([], [label for label in made if label.endswith("-refund")])
        self.assertEqual([], [number for number in range(count) if not made[f"w{number}-charge"]])
        self.assertEqual(0, Step.objects.filter(error__isnull=False).count())


@only_postgresql
class ATerminatedSession(TroubleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start_worker()

    def terminate_others(self) -> None:
        """End every session on the test database but this one."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def test_in_a_plain_step_costs_nothing(self):
        """G17: the outcome is recorded in a new session, the body is not repeated."""
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        self.terminate_others()
        self.let_go_on("w")

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual((1, 1), (flags.times("in-w"), handle.refresh().workflow.attempt))

    def test_in_an_atomic_step_repeats_the_body(self):
        """A4: the transaction went with the session; the same attempt makes it anew, once."""
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")

        self.terminate_others()
        self.let_go_on("w", call=1)
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual((2, 1), (flags.times("in-w"), handle.refresh().workflow.attempt))
        self.assert_made_once("w-before", "w")

    def test_of_heartbeat_and_loop_is_replaced(self):
        """E2, G17: the same worker, with the same lease, finds work that comes afterwards."""
        (before,) = Worker.objects.alive()

        self.terminate_others()

        self.assertEqual(["w-1", "w-2", "w-3"], marks.start("w").result(timeout=60))
        (after,) = Worker.objects.alive()
        self.assertEqual(before.pk, after.pk)
        wait_until(
            lambda: Worker.objects.get(pk=after.pk).heartbeat_at > after.heartbeat_at, "the heart beats", seconds=30
        )


@only_postgresql
class AServerThatTakesNoWrites(TroubleTestCase):
    def set_read_only(self, value: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            cursor.execute("SELECT pg_reload_conf()")

    def test_after_a_failover_makes_nothing_fail(self):
        """A21: a primary that became a standby is no error of the step; it is recorded when writes are taken again."""
        server_to_restart()
        worker = self.start_worker()
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        self.addCleanup(self.set_read_only, "off")
        self.set_read_only("on")
        self.let_go_on("w")
        wait_until(lambda: worker.has_said("(record a step)"), "the outcome was refused")
        self.set_read_only("off")

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual((1, 1), (flags.times("in-w"), handle.refresh().workflow.attempt))


@only_postgresql
class AServerThatCrashes(TroubleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = server_to_restart()
        self.addCleanup(self.ensure_running)

    def ensure_running(self) -> None:
        if not self.server.is_running:
            self.server.start()

    def stop_server(self) -> None:
        connections.close_all()
        self.server.stop("immediate")

    def test_under_load_loses_and_doubles_nothing(self):
        """A5: every worker reconnects without anybody's doing."""
        self.start_worker("--processes", "2")
        careful.start_many([(f"w{number}",) for number in range(200)])

        for done in (20, 100):
            wait_until(lambda done=done: Workflow.objects.finished().count() > done, f"{done} have ended")
            connections.close_all()
            self.server.restart_immediately()

        self.assert_all_careful(200)

    def let_the_log_linger(self) -> None:
        """Let the server write nothing to its log that no commit waits for."""
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            cursor.execute("SELECT pg_reload_conf()")
        self.addCleanup(self.reset_the_log)

    def reset_the_log(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM RESET wal_writer_delay")
            cursor.execute("SELECT pg_reload_conf()")

    def test_and_loses_a_claim_lets_what_runs_go_on(self):
        """No claim waits for the disk: it is made anew, and what has begun under it is not begun a second time."""
        self.let_the_log_linger()
        self.start_worker()
        handle = held_at_first.start("w")
        self.wait_for_flag("in-w")

        connections.close_all()
        self.server.restart_immediately()
        wait_until(lambda: handle.refresh().workflow.status == "running", "the workflow is claimed")
        self.let_go_on("w")

        self.assertEqual(["w", "w-next"], handle.result(timeout=60))
        self.assertEqual((1, 1), (flags.times("in-w"), handle.refresh().workflow.attempt))

    def test_keeps_the_claims_of_a_queue_with_limits(self):
        """What has a slot must not run while another gets the same one."""
        self.let_the_log_linger()
        sync()
        start_ids(begins.using(queue="ten"), "a", "b", "c")

        claimed = claim("ten", 2)
        connections.close_all()
        self.server.restart_immediately()

        self.assertEqual(["a", "b"], ids(claimed))
        self.assertEqual(["a", "b"], ids(Workflow.objects.filter(worker="w").order_by("pk")))

    def test_keeps_the_claim_of_what_was_debounced(self):
        """It has given up its key: a call must start the next one, and not change the arguments of what runs."""
        self.let_the_log_linger()
        sync()
        changed = begins.using(id="a", queue="default", deduplication_key="p", debounce=Debounce(3600))
        changed.start("a")
        Workflow.objects.update(run_after=None)

        claimed = Workflow.objects.claim("w", "default", 1, names=registry.workflows.names())
        connections.close_all()
        self.server.restart_immediately()

        self.assertEqual(["a"], ids(claimed))
        self.assertEqual(["a"], ids(Workflow.objects.filter(worker="w", deduplication_key=None)))

    def test_during_a_recovery_leaves_nothing_with_a_dead_owner(self):
        """A11: the sweep is periodic and may be repeated."""
        careful.start_many([(f"w{number}",) for number in range(250)])
        Workflow.objects.claim("a worker that is gone", "default", 250, names=["sample.careful"])
        worker = self.start_worker()
        wait_until(lambda: worker.has_said("were put back"), "a first sweep has run")

        connections.close_all()
        self.server.restart_immediately()

        self.assert_all_careful(250)
        self.assertEqual(0, Workflow.objects.filter(worker__isnull=False).count())

    def test_and_is_away_for_longer_than_the_lease(self):
        """A5: workers wait, take their work up again, and record no step as failed."""
        worker = self.start_worker(settings=SHORT_LEASE)
        careful.start_many([(f"w{number}",) for number in range(50)])
        handle = held_in_plain.start("held")
        self.wait_for_flag("in-held")

        self.stop_server()
        self.let_go_on("held", call=1)
        self.let_go_on("held", call=2)
        wait_until(lambda: worker.has_said(f"{handle.id}: let go"), "the lease of the worker has passed")
        self.server.start()

        self.assert_all_careful(50)
        self.assertEqual(["held-before", "held", "held-next"], handle.result(timeout=60))

    def test_and_is_away_when_a_worker_starts(self):
        """The worker waits for it, then boots and works."""
        handle = marks.start("w")
        self.stop_server()
        worker = self.launch_worker()
        wait_until(lambda: worker.has_said("(boot)"), "the worker tries to boot")

        self.server.start()

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))


@skipIf(is_postgresql(), "PostgreSQL locks rows, not the whole database")
class AFileThatIsLocked(TroubleTestCase):
    def start_impatient_worker(self, settings: dict[str, float]):
        """Start a worker to which "database is locked" comes after a fifth of a second."""
        options = {"DURABLE_TEST_DATABASE_OPTIONS": json.dumps({"timeout": 0.2})}
        return self.start_worker(settings=settings, environment=options)

    def test_for_a_moment_makes_nothing_fail(self):
        """I1: what was refused is tried again: steps, outcomes, claims and heartbeats alike."""
        worker = self.start_impatient_worker(LONG_LEASE)
        handle = held_before_atomic.start("held")
        self.wait_for_flag("in-held")
        careful.start_many([(f"w{number}",) for number in range(100)])

        wait_until(lambda: Workflow.objects.finished().count() > 10, "some have ended")
        with transaction.atomic():
            wait_until(lambda: worker.has_said("does not answer"), "the worker was refused")
            self.let_go_on("held", call=1)
            wait_until(lambda: worker.has_said("the database refused it"), "an atomic step was refused")

        self.assert_all_careful(100)
        self.assertEqual("held-next", handle.result(timeout=60))

    def test_for_longer_than_the_lease_makes_nothing_fail(self):
        """The worker lets go of its work, and takes it up again under a new lease."""
        worker = self.start_impatient_worker(SHORT_LEASE)
        careful.start_many([(f"w{number}",) for number in range(50)])
        handle = held_in_plain.start("held")
        self.wait_for_flag("in-held")

        with transaction.atomic():
            self.let_go_on("held", call=1)
            self.let_go_on("held", call=2)
            wait_until(lambda: worker.has_said(f"{handle.id}: let go"), "the lease of the worker has passed")

        self.assert_all_careful(50)
        self.assertEqual(["held-before", "held", "held-next"], handle.result(timeout=60))


class ADatabaseThatHangs(TroubleTestCase):
    def hang(self) -> None:
        """Lock what a supervisor writes to; on SQLite that is the whole file, which the transaction has locked."""
        if is_postgresql():
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {Worker._meta.db_table} IN ACCESS EXCLUSIVE MODE")

    def test_keeps_no_supervisor_from_replacing_its_child(self):
        """It gives the lease of the dead one up to others, who find that it is gone, and starts another process."""
        options = {} if is_postgresql() else {"DURABLE_TEST_DATABASE_OPTIONS": json.dumps({"timeout": 3600})}
        worker = self.start_worker(environment=options)
        victim = worker.child

        with transaction.atomic():
            self.hang()
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: set(worker.children) - {victim}, "another process was started")
            wait_until(lambda: worker.has_said("(expire a lease)"), "the supervisor has given up")

        self.assertEqual(["w-1", "w-2", "w-3"], marks.start("w").result(timeout=60))
        wait_until(lambda: Worker.objects.alive().count() == 1, "the lease of the dead process has ended")
