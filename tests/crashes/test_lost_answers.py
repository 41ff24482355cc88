"""The network between a worker and PostgreSQL, hurt at one message: answers are lost, connections cut or frozen."""

from __future__ import annotations

from unittest import skipUnless

from django.db import connection

from tests.crashes.harness import LONG_LEASE, SHORT_LEASE, CrashTestCase, WorkerUnderTest, is_postgresql, wait_until
from tests.crashes.proxy import Proxy, Session, killer
from tests.sample import flags
from tests.sample.branching import gathers_children
from tests.sample.crashing import held_in_atomic, held_in_plain, marks

STEP = 'INSERT INTO "durable_django_step"'
OUTCOME = 'UPDATE "durable_django_workflow" SET "status" = .*"output" ='
CHILD = 'INSERT INTO "durable_django_workflow"'
CLAIM = 'UPDATE "durable_django_workflow" SET .*"claimed_at" ='
COMMIT = "^COMMIT"


@skipUnless(is_postgresql(), "there is no network between a worker and its SQLite file")
class ProxyTestCase(CrashTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.proxy = self.surroundings.enter_context(Proxy(self.folder))

    def start_behind_proxy(self, settings: dict[str, float] = LONG_LEASE) -> WorkerUnderTest:
        return self.start_worker(settings=settings, environment=self.proxy.environment)

    def assert_marks_complete(self, handle, *, attempt: int) -> None:
        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        self.assertEqual(attempt, handle.refresh().workflow.attempt)
        self.assert_made_once("w-1", "w-3")


class AWorkerKilled(ProxyTestCase):
    def test_before_the_server_has_seen_commit(self):
        """A1: neither the body's write nor the checkpoint survives; the next attempt makes them once."""
        worker = self.start_behind_proxy()
        sprung = self.proxy.on(STEP, COMMIT, before=killer(worker.child))

        handle = marks.start("w")

        self.assert_marks_complete(handle, attempt=2)
        self.assertTrue(sprung.is_set())

    def test_after_the_server_has_executed_commit(self):
        """A3: the checkpoint is found, the body is not run again."""
        worker = self.start_behind_proxy()
        sprung = self.proxy.on(STEP, COMMIT, after=killer(worker.child))

        handle = marks.start("w")

        self.assert_marks_complete(handle, attempt=2)
        self.assertTrue(sprung.is_set())


class AnAnswerThatIsLost(ProxyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start_behind_proxy()

    def test_of_commit_is_looked_up(self):
        """A2: the transaction is there, so the attempt goes on with its result; the body is not run again."""
        sprung = self.proxy.on(STEP, COMMIT, after=Session.cut)

        handle = marks.start("w")

        self.assert_marks_complete(handle, attempt=1)
        self.assertTrue(sprung.is_set())

    def test_before_commit_lets_the_body_run_again(self):
        """A4: the transaction is not there; the same attempt makes it anew."""
        sprung = self.proxy.on(STEP, COMMIT, before=Session.cut)

        handle = marks.start("w")

        self.assert_marks_complete(handle, attempt=1)
        self.assertTrue(sprung.is_set())

    def test_of_a_plain_step_s_record_is_adopted(self):
        """A2: the second INSERT finds the row of the first; the body is not run again."""
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")
        sprung = self.proxy.on(STEP, after=Session.cut)

        self.let_go_on("w")

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assertEqual((1, 1), (flags.times("in-w"), handle.refresh().workflow.attempt))
        self.assertTrue(sprung.is_set())

    def test_of_children_started_together_leaves_one_each(self):
        """A2: they are there, so the attempt goes on with them."""
        sprung = self.proxy.on(CHILD, STEP, COMMIT, after=Session.cut)

        handle = gathers_children.start(1, 2, 3, 4, 5)

        self.assertEqual([2, 4, 6, 8, 10], handle.result(timeout=60))
        self.assert_made_once(*(f"child-{number}" for number in range(1, 6)))
        self.assertTrue(sprung.is_set())

    def test_of_the_outcome_changes_nothing(self):
        """A2: the workflow has ended, once; the worker lets go of it and works on."""
        sprung = self.proxy.on(OUTCOME, after=Session.cut)

        handle = marks.start("w")

        self.assert_marks_complete(handle, attempt=1)
        self.assertTrue(sprung.wait(60))
        self.assertEqual(["x-1", "x-2", "x-3"], marks.start("x").result(timeout=60))

    def test_of_a_claim_strands_nobody(self):
        """G5: no janitor takes rows from a living worker; it finds what it does not know it holds, and puts it back."""
        sprung = self.proxy.on(CLAIM, after=Session.cut)

        handle = marks.start("w")

        self.assert_marks_complete(handle, attempt=2)
        self.assertTrue(sprung.is_set())


class ANetworkThatSwallowsEverything(ProxyTestCase):
    def cut_off(self, *, call: int) -> None:
        """Freeze the victim's network until another worker has taken over, then let what piled up arrive."""
        self.proxy.freeze()
        self.other = self.start_worker()
        self.let_go_on("w", call=1)
        self.wait_for_flag("in-w", times=call)

    def test_for_longer_than_the_lease_makes_the_worker_let_go(self):
        """B10: what it sent arrives late and is refused; it starts no further step."""
        victim = self.start_behind_proxy(SHORT_LEASE)
        handle = held_in_plain.start("w")
        self.wait_for_flag("in-w")

        self.cut_off(call=2)
        self.proxy.thaw()
        wait_until(lambda: victim.has_said(f"{handle.id}: let go"), "the worker has let go")
        self.let_go_on("w", call=2)

        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.assert_reached_only_by(self.other.child, "in-w-next")

    def test_in_an_atomic_step_does_not_hold_up_its_successor(self):
        """B1, B10: the server ends the transaction by itself; the late COMMIT commits nothing."""
        victim = self.start_behind_proxy(SHORT_LEASE)
        handle = held_in_atomic.start("w")
        self.wait_for_flag("in-w")

        self.cut_off(call=2)
        self.let_go_on("w", call=2)
        self.assertEqual(["w-before", "w", "w-next"], handle.result(timeout=60))
        self.proxy.thaw()

        self.assertEqual(0, victim.stop())
        self.assert_made_once("w-before", "w")
        self.assert_reached_only_by(self.other.child, "in-w-next")


SLOW = """
CREATE FUNCTION durable_slow_commit() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF NEW.label = 'w-1' THEN PERFORM pg_sleep(3); END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER durable_slow_commit AFTER INSERT ON sample_mark
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION durable_slow_commit();
"""
FAST = "DROP FUNCTION IF EXISTS durable_slow_commit() CASCADE"


@skipUnless(is_postgresql(), "needs a session to terminate")
class ASessionTerminatedInTheMiddleOfCommit(CrashTestCase):
    def test_has_its_fate_read_from_the_database(self):
        """A4: the error of COMMIT decides nothing; the transaction is not there, so the body runs again."""
        with connection.cursor() as cursor:
            cursor.execute(SLOW)
            self.addCleanup(self.execute, FAST)
            self.start_worker()
            handle = marks.start("w")
            wait_until(lambda: self.terminate_commit(cursor), "a session was ended in its COMMIT")
        self.execute(FAST)

        self.assertEqual(["w-1", "w-2", "w-3"], handle.result(timeout=60))
        self.assertEqual(1, handle.refresh().workflow.attempt)
        self.assert_made_once("w-1", "w-3")

    def terminate_commit(self, cursor) -> bool:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep'"
        )
        return bool(cursor.fetchall())

    def execute(self, sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)
