"""Errors of the database, and whose they are: the engine's own trouble, a step's outcome, a workflow's query."""

import threading
from contextlib import suppress
from unittest import mock, skipUnless

from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import TransactionTestCase

from durable_django import RetriesExhausted, Retry, current_workflow, step, workflow
from durable_django.engine import atomicity, checkpoints, context
from durable_django.engine.ownership import Ownership
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, elsewhere, eventually, labels, row, steps
from tests.rooms.test_faults import postgresql_error
from tests.sample.models import Mark
from tests.sample.promises import acts_atomically, acts_itself

#: More than a body is run again for its own sake.
OFTEN = atomicity.MOST_RERUNS + 2


@step
def ask(number):
    """Ask a database that never answers: in the end that is the outcome of the step."""
    raise OperationalError(f"no answer to {number}")


@workflow
def raises_the_first(count):
    """Do what can be done, then raise the first error."""
    errors = []
    for number in range(count):
        try:
            ask(number)
        except OperationalError as error:
            errors.append(error)
    raise errors[0]


@step(retry=Retry(max_attempts=1, jitter=0))
def ask_again(number):
    ask(number)


@workflow
def raises_the_cause():
    try:
        ask_again(7)
    except RetriesExhausted as error:
        raise error.__cause__ from None


@workflow
def keeps_asking(count):
    for number in range(count):
        with suppress(OperationalError):
            ask(number)
    return len(context.current_run().outcomes)


@workflow
def asks_by_itself():
    try:
        ask(1)
    except OperationalError:
        raise OperationalError("no answer to the workflow") from None


def end_session(of):
    """Let the server end a session, from another one, and wait until it is gone."""
    pid = of.connection.info.backend_pid

    def terminate():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])

    elsewhere(terminate)


class TroubleTestCase(TransactionTestCase):
    def setUp(self):
        patched = mock.patch.object(Ownership, "pause")
        patched.start()
        self.addCleanup(patched.stop)


class TheCheckpointOfAnAtomicStep(TroubleTestCase):
    """The body has ended well; the engine's own statement behind it waits for a lock for too long (55P03)."""

    def setUp(self):
        super().setUp()
        self.calls = 0

    def body(self):
        self.calls += 1
        Mark.objects.create(label="body")
        return "value"

    def assert_runs(self, handle):
        """The step has its value, its writes are there once, and nothing was counted."""
        self.assertEqual("value", handle.refresh().result())
        self.assertEqual(["before", "body", "after"], labels())
        self.assertEqual({(0, None)}, set(Step.objects.values_list("retries", "error")))
        self.assertEqual(1, row(handle).attempt)
        self.assertGreater(self.calls, OFTEN)

    def test_is_written_again_as_often_as_it_takes(self):
        """It is trouble of the engine: the transaction runs again, uncounted; no error of the step."""
        write, refusals = checkpoints.write, iter(range(OFTEN))

        def refused(entry, **options):
            if entry.name == "act_atomically" and next(refusals, None) is not None:
                raise postgresql_error(OperationalError, "55P03")
            write(entry, **options)

        handle = acts_atomically.start()
        with acting(self.body), mock.patch.object(checkpoints, "write", refused):
            run_until_idle()

        self.assert_runs(handle)

    @skipUnless(connection.vendor == "postgresql", "SQLite has one lock, which the body has already")
    def test_waits_for_a_key_that_somebody_holds(self):
        """Another transaction has the position and rolls back: the project's lock_timeout makes no step fail."""
        handle = acts_atomically.start()
        enough, is_held = threading.Event(), threading.Event()

        def hold():
            with transaction.atomic():
                Step.objects.create(workflow_id=handle.id, position=2, name="act_atomically", attempt=0)
                is_held.set()
                enough.wait(30)
                transaction.set_rollback(True)

        def body():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = 2")
            if self.calls == OFTEN:
                enough.set()
            return self.body()

        holder = threading.Thread(target=elsewhere, args=[hold])
        holder.start()
        eventually(is_held.is_set, "another transaction has the key")
        with acting(body):
            run_until_idle()
        holder.join(30)

        self.assert_runs(handle)
        self.assertEqual(["mark_atomically", "act_atomically", "mark"], steps(handle))


class ASessionThatIsLostInABody(TroubleTestCase):
    """Somebody ends the session between two statements of an atomic body, as a restart of the server does."""

    def lose_once(self, then):
        """Return a body that loses its session in its first call, and goes on as `then` says."""
        calls = []

        def body():
            Mark.objects.create(label="in-body")
            calls.append(1)
            if len(calls) == 1:
                end_session(connection)
            then()
            return len(calls)

        return body

    def ask_again(self):
        Mark.objects.count()

    def give_up(self):
        with suppress(DatabaseError):
            Mark.objects.count()

    @skipUnless(connection.vendor == "postgresql", "SQLite has no session that could be lost")
    def test_makes_it_run_again(self):
        """It is no transaction that the body has ended by hand: everything is rolled back, and done once."""
        for then in (self.ask_again, self.give_up, lambda: None):
            with self.subTest(then=then):
                Mark.objects.all().delete()
                handle = acts_atomically.start()
                with acting(self.lose_once(then)):
                    run_until_idle()

                self.assertEqual(2, handle.result())
                self.assertEqual(1, labels().count("in-body"))


class AnAttributeThatIsReadWhenItIsAskedFor(TroubleTestCase):
    """A claim leaves attributes and deadline out; current_workflow() reads them at their first use."""

    def blinks(self):
        """Let the database fail once when a column is read that was left out."""
        read, failed = Workflow.refresh_from_db, []

        def refresh(row, *args, **kwargs):
            if not failed:
                failed.append(row)
                raise OperationalError("the database is away")
            return read(row, *args, **kwargs)

        return mock.patch.object(Workflow, "refresh_from_db", refresh)

    def test_is_no_error_of_the_workflow_while_the_database_is_away(self):
        """It is asked for again: `except Exception` in the workflow must not refund because of that."""

        def body():
            try:
                return current_workflow().attributes, current_workflow().deadline
            except Exception:
                return "refunded"

        handle = acts_itself.using(attributes={"shop": 7}).start()
        with acting(body), self.blinks():
            run_until_idle()

        self.assertEqual(({"shop": 7}, None), handle.result())

    def test_runs_an_atomic_body_again(self):
        """There nothing can be asked for again: the transaction is rolled back, and the body run anew."""
        handle = acts_atomically.using(attributes={"shop": 7}).start()
        with acting(lambda: current_workflow().attributes), self.blinks():
            run_until_idle()

        workflow = row(handle)
        self.assertEqual(({"shop": 7}, 1, 0), (handle.result(), workflow.attempt, workflow.recoveries))


class ADatabaseErrorThatAStepHasRecorded(TroubleTestCase):
    """It is an outcome, however much it looks like trouble of the workflow's own queries."""

    def run_and_refresh(self, definition, *args):
        handle = definition.start(*args)
        run_until_idle()
        return row(handle)

    def test_is_the_workflows_when_it_is_raised_later(self):
        """The first of several, and not only the last."""
        for count in (1, 3):
            with self.subTest(count=count):
                ended = self.run_and_refresh(raises_the_first, count)

                self.assertEqual(("failed", 1, 0), (ended.status, ended.attempt, ended.recoveries))
                self.assertIn("no answer to 0", ended.error)

    def test_is_the_workflows_at_a_replay_too(self):
        """The recorded errors are raised from their rows."""
        handle = raises_the_first.start(2)
        run_until_idle()
        Workflow.objects.update(status="queued", finished_at=None, error=None)
        run_until_idle()

        ended = row(handle)
        self.assertEqual(("failed", 2, 0), (ended.status, ended.attempt, ended.recoveries))
        self.assertIn("no answer to 0", ended.error)

    def test_does_not_stand_for_another_one(self):
        """An error of the workflow's own query is no outcome: it runs again, counted like a lost lease."""
        found = self.run_and_refresh(asks_by_itself)

        self.assertEqual(("queued", 1, 1), (found.status, found.attempt, found.recoveries))

    def test_is_the_workflows_as_the_cause_of_another(self):
        """Of RetriesExhausted, for one, the workflow may raise what lies beneath."""
        ended = self.run_and_refresh(raises_the_cause)

        self.assertEqual(("failed", 1, 0), (ended.status, ended.attempt, ended.recoveries))
        self.assertIn("no answer to 7", ended.error)

    def test_is_not_kept_for_ever(self):
        """Of many the last ones are remembered: a long workflow does not fill the memory."""
        handle = keeps_asking.start(22)

        run_until_idle()

        self.assertLessEqual(handle.result(), 20)
