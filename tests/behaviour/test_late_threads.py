"""A step's thread that comes back when its timeout is recorded: it commits nothing more and goes no further."""

import threading
from contextlib import contextmanager
from unittest import mock, skipUnless

from django.db import OperationalError, connection, connections, transaction
from django.test import TransactionTestCase

from durable_django import Retry, current_workflow, step, workflow
from durable_django.engine import context, faults, retrying
from durable_django.engine.faults import Fault
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import LIMIT_SECONDS, acting, elsewhere, eventually, labels, row
from tests.sample.models import Mark
from tests.sample.promises import Here
from tests.sample.workflows import mark

IS_POSTGRESQL = connection.vendor == "postgresql"
ONE_WRITER = "on SQLite nobody can write while an atomic body runs"


@step(timeout=60)
def bounded():
    return Here.act()


@step(timeout=60, atomic=True)
def bounded_atomic():
    return Here.act()


@step(timeout=60, atomic=True, retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def bounded_atomic_again():
    return Here.act()


STEPS = {each.name: each for each in (bounded, bounded_atomic, bounded_atomic_again)}


@workflow
def compensates_a_timeout(name):
    """Whoever sees the timeout says in which attempt: two threads would compensate twice."""
    try:
        return STEPS[name]()
    except TimeoutError:
        return mark(f"compensated in attempt {current_workflow().attempt}")


def watched_call():
    """Return the call of this thread's step that the heartbeat watches."""
    ((_end, call),) = context.current_run().owner.timeouts._ends.values()
    return call


def time_out():
    """
    Record the timeout from another thread, as the heartbeat does. Whether it came first.

    The body itself was called a moment ago: the time went by before, in earlier runs of it or while BEGIN waited.
    """
    call = watched_call()
    return elsewhere(lambda: retrying.time_out(call))


@contextmanager
def row_locked(workflow_id):
    """Let somebody else hold the row of a workflow while the block runs."""
    is_locked, may_end = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Workflow.objects.select_for_update().get(pk=workflow_id)
            is_locked.set()
            may_end.wait(LIMIT_SECONDS)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    is_locked.wait(LIMIT_SECONDS)
    try:
        yield
    finally:
        may_end.set()
        thread.join(LIMIT_SECONDS)


class LateThreadTestCase(TransactionTestCase):
    def run_with(self, act, definition):
        """Run the step, whose body makes a mark, and acts in its first call. Return handle and answer of the act."""
        answers = []

        def body():
            Mark.objects.create(label="body")
            answers.append(None if answers else act())
            return "value"

        handle = compensates_a_timeout.start(definition.name)
        self.enterContext(acting(body))
        run_until_idle()
        return handle, answers[0]

    def assert_compensated_once(self, handle, *, left):
        """Only the attempt that follows has seen the timeout."""
        self.assertEqual("compensated in attempt 2", handle.result(timeout=0))
        self.assertEqual([*left, "compensated in attempt 2"], labels())
        self.assertEqual(2, row(handle).attempt)


class AfterTheTimeoutWasRecorded(LateThreadTestCase):
    def test_a_plain_step_goes_no_further(self):
        """What it did is done; its outcome is the timeout."""
        handle, answer = self.run_with(time_out, bounded)

        self.assertIs(True, answer)
        self.assert_compensated_once(handle, left=["body"])

    @skipUnless(IS_POSTGRESQL, ONE_WRITER)
    def test_an_atomic_step_is_rolled_back_and_goes_no_further(self):
        """Its commit is refused by the fence."""
        handle, answer = self.run_with(time_out, bounded_atomic)

        self.assertIs(True, answer)
        self.assert_compensated_once(handle, left=[])

    @skipUnless(IS_POSTGRESQL, ONE_WRITER)
    def test_an_atomic_step_with_retries_is_rolled_back_and_called_again(self):
        """When the pause is over, by the next attempt."""
        handle, answer = self.run_with(time_out, bounded_atomic_again)
        waiting, left = row(handle), labels()
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual(("queued", True, []), (waiting.status, waiting.run_after is not None, left))
        self.assertIs(True, answer)
        self.assertEqual(("value", 2), (handle.refresh().result(timeout=0), row(handle).attempt))
        self.assertEqual((["body"], 1), (labels(), Step.objects.get().retries))


@skipUnless(IS_POSTGRESQL, "needs two writers at the same time")
class WhileTheTimeoutIsBeingRecorded(LateThreadTestCase):
    def setUp(self):
        self.is_written = threading.Event()

    def begin_to_time_out(self):
        """Return when another thread has written the timeout, but before it commits, for which the body has to end."""
        call, release = watched_call(), Workflow.release

        def release_late(workflow, *args, **columns):
            if threading.current_thread() is thread:
                self.is_written.set()
                eventually(self.somebody_waits, "the late thread has run into what is being recorded")
            return release(workflow, *args, **columns)

        def beat():
            retrying.time_out(call)
            connections.close_all()

        self.enterContext(mock.patch.object(Workflow, "release", release_late))
        thread = threading.Thread(target=beat)
        self.addCleanup(thread.join, LIMIT_SECONDS)
        thread.start()
        self.is_written.wait(LIMIT_SECONDS)

    def somebody_waits(self):
        """Whether a session waits for the lock of another."""

        def ask():
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return cursor.fetchone()[0] > 0

        return elsewhere(ask)

    def test_a_plain_step_goes_no_further(self):
        """Its record finds the timeout in its place, which only the next attempt may see."""
        handle, _answer = self.run_with(self.begin_to_time_out, bounded)

        self.assert_compensated_once(handle, left=["body"])

    def test_an_atomic_step_is_rolled_back_and_goes_no_further(self):
        """Its checkpoint collides with the timeout."""
        handle, _answer = self.run_with(self.begin_to_time_out, bounded_atomic)

        self.assert_compensated_once(handle, left=[])


class BeforeTheTimeoutWasRecorded(LateThreadTestCase):
    def test_a_commit_stands(self):
        """The heartbeat comes too late, and the workflow goes on with the value."""
        told = []

        handle, _answer = self.run_with(lambda: transaction.on_commit(lambda: told.append(time_out())), bounded_atomic)

        self.assertEqual([False], told)
        self.assertEqual("value", handle.result(timeout=0))
        self.assertEqual((["body"], 1), (labels(), row(handle).attempt))

    def test_a_thread_that_is_about_to_be_timed_out_goes_no_further(self):
        """What it has committed stands all the same, and the next attempt goes on with it."""

        def begin_to_time_out():
            call = watched_call()
            transaction.on_commit(lambda: setattr(call, "is_timed_out", True))

        handle, _answer = self.run_with(begin_to_time_out, bounded_atomic)

        self.assertEqual("value", handle.result(timeout=0))
        self.assertEqual((["body"], 2), (labels(), row(handle).attempt))


@skipUnless(IS_POSTGRESQL, "SQLite locks no single row")
class WhileSomebodyHoldsTheRow(LateThreadTestCase):
    def fail_to_time_out(self):
        """Return what the heartbeat meets, and whether it goes on watching."""
        with row_locked(watched_call().run.workflow.pk):
            try:
                time_out()
            except OperationalError as error:
                return faults.classify(error), watched_call() is not None
        return None

    def test_the_heartbeat_does_not_wait(self):
        """It is told at once, without having recorded anything, and watches on."""
        for definition in (bounded, bounded_atomic, bounded_atomic_again):
            with self.subTest(definition=definition.name):
                _handle, answer = self.run_with(self.fail_to_time_out, definition)

                self.assertEqual((Fault.TIMED_OUT, True), answer)

    def test_a_thread_that_comes_back_in_time_records_its_own_outcome(self):
        """Nothing was recorded in its place."""
        for definition in (bounded, bounded_atomic, bounded_atomic_again):
            with self.subTest(definition=definition.name):
                Mark.objects.all().delete()
                handle, _answer = self.run_with(self.fail_to_time_out, definition)

                self.assertEqual("value", handle.result(timeout=0))
                self.assertEqual((["body"], 1), (labels(), row(handle).attempt))

    def test_the_timeout_is_recorded_when_the_row_is_free(self):
        """The heartbeat asks again."""

        def fail_then_time_out():
            self.fail_to_time_out()
            return time_out(), elsewhere(lambda: Step.objects.get().state)

        handle, answer = self.run_with(fail_then_time_out, bounded)

        self.assertEqual((True, "failed"), answer)
        self.assert_compensated_once(handle, left=["body"])
