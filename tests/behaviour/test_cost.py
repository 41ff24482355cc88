"""What each promise costs: the statements of starts, steps, outcomes and a worker's turns, counted."""

from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from durable_django import Retry, get_handle, step, workflow
from durable_django.base import registry
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models import Queue, Worker, Workflow
from durable_django.testing import run_until_idle, travel
from durable_django.worker.looks import look
from tests.behaviour.states import claim
from tests.behaviour.support import acting, row, statements, summary
from tests.sample import tasks
from tests.sample.promises import act, act_atomically, acts, takes_order

NAMES = registry.workflows.names


@workflow
def has_plain_steps(count):
    for _ in range(count):
        act()


@workflow
def has_atomic_steps(count):
    for _ in range(count):
        act_atomically()


@step(retry=Retry(max_attempts=3, base_seconds=10, jitter=0))
def fails_at_first():
    return act.__wrapped__()


@workflow
def has_a_retry():
    fails_at_first()


class CostTestCase(TransactionTestCase):
    def attempt(self, handle):
        """Claim a workflow, run it, and return what it did in the database."""
        held = claim(handle)
        with statements() as seen:
            attempts.attempt(held, Ownership("w"), "default")
        return summary(seen)


class AStart(CostTestCase):
    @override_settings(DURABLE_DJANGO={"NOTIFY": False})
    def test_is_one_statement(self):
        """An INSERT, without BEGIN, COMMIT, savepoint or look, whatever is configured."""
        for definition in (
            takes_order,
            takes_order.using(id="order-7", queue="second", priority=5),
            takes_order.using(delay=60, timeout=60, attributes={"a": 1}, user=5),
        ):
            with statements() as seen:
                definition.start(7)
            self.assertEqual(["INSERT workflow"], summary(seen))

    def test_is_followed_by_at_most_one_ring(self):
        """On PostgreSQL a notification follows the commit, one for many starts in a row; on SQLite none."""
        with statements() as seen:
            for number in range(3):
                takes_order.start(number)

        rings = [sql for sql in seen if "pg_notify" in sql]
        self.assertEqual(3 + len(rings), len(seen))
        self.assertLessEqual(len(rings), 3 if connection.vendor == "postgresql" else 0)

    def test_inside_a_transaction_is_one_statement_too(self):
        """No savepoint around it; the ring follows the commit, on PostgreSQL."""
        with transaction.atomic(), statements() as seen:
            takes_order.start(7)

        self.assertEqual(["INSERT workflow"], summary(seen))

    def test_that_finds_the_first_is_one_look_more(self):
        """The id is taken: the row is read."""
        takes_order.using(id="order-7").start(7)
        with statements() as seen:
            takes_order.using(id="order-7").start(7)

        self.assertEqual(["INSERT workflow", "SELECT workflow"], summary(seen))


class ARun(CostTestCase):
    def test_without_steps_is_its_outcome(self):
        """One UPDATE: nothing is loaded, since there is no history."""
        self.assertEqual(["UPDATE workflow"], self.attempt(takes_order.start(7)))

    def test_of_plain_steps_is_one_statement_for_each(self):
        """One INSERT and its own commit, no read before it."""
        self.assertEqual(["INSERT step"] * 5 + ["UPDATE workflow"], self.attempt(has_plain_steps.start(5)))

    def test_of_atomic_steps_is_one_transaction_for_each(self):
        """BEGIN, the savepoint that guards the body, its release, the checkpoint as the last statement, COMMIT."""
        one = ["BEGIN", "SAVEPOINT", "RELEASE", "INSERT step", "COMMIT"]

        self.assertEqual([*one, *one, "UPDATE workflow"], self.attempt(has_atomic_steps.start(2)))

    def test_that_fails_is_as_cheap(self):
        """The error of a step is one INSERT, that of the workflow one UPDATE."""
        with acting(lambda: 1 / 0):
            seen = self.attempt(has_plain_steps.start(1))

        self.assertEqual(["INSERT step", "UPDATE workflow"], seen)

    def test_with_a_history_loads_it_in_one_query(self):
        """The second attempt reads all checkpoints at once; replayed steps cost nothing more."""
        for count in (3, 30):
            handle = has_plain_steps.start(count)
            self.attempt(handle)
            Workflow.objects.update(status="queued", finished_at=None)
            with self.subTest(count=count):
                self.assertEqual(["SELECT step", "UPDATE workflow"], self.attempt(handle))

    def test_that_suspends_for_a_retry(self):
        """Lock, step row and suspension are one transaction."""
        with acting(lambda: 1 / 0):
            seen = self.attempt(has_a_retry.start())

        self.assertEqual(["BEGIN", "SELECT workflow", "UPDATE step", "INSERT step", "UPDATE workflow", "COMMIT"], seen)

    def test_is_no_dearer_in_company(self):
        """Hundreds of other rows change nothing."""
        handle = has_plain_steps.start(2)
        takes_order.start_many((number,) for number in range(300))

        self.assertEqual(["INSERT step"] * 2 + ["UPDATE workflow"], self.attempt(handle))


class ATask(CostTestCase):
    def test_called_once_in_a_thread_is_its_outcome(self):
        """Behind the claim one statement, and no read: the end of the workflow is the record of the task."""
        self.assertEqual(["UPDATE workflow"], self.attempt(get_handle(tasks.add.enqueue(1).id)))

    def test_with_options_is_a_step_more(self):
        """Each attempt is recorded."""
        seen = self.attempt(get_handle(tasks.retried.enqueue("a").id))

        self.assertEqual(["INSERT step", "UPDATE workflow"], [each for each in seen if "mark" not in each])


class AClaim(TestCase):
    def setUp(self):
        Worker.objects.register("w", 3600, hostname="test", pid=0)

    def claim(self, limit, names=None):
        with statements() as seen:
            found = Workflow.objects.claim("w", "default", limit, names=names or NAMES())
        return len(found), [each for each in summary(seen) if each not in {"SAVEPOINT", "RELEASE"}]

    def test_is_one_statement(self):
        """For one row and for a hundred; with and without timeouts."""
        takes_order.start_many((number,) for number in range(150))

        takes_order.using(timeout=60).start_many((number,) for number in range(20))

        self.assertEqual((1, ["UPDATE workflow"]), self.claim(1))
        self.assertEqual((100, ["UPDATE workflow"]), self.claim(100))
        self.assertEqual((69, ["UPDATE workflow"]), self.claim(100))

    def test_of_nothing_looks_for_unknown_names(self):
        """An empty queue is left alone."""
        self.assertEqual((0, ["UPDATE workflow", "SELECT workflow"]), self.claim(10))

    def test_never_takes_more_than_its_limit(self):
        """Claims are bounded to the free slots of the process."""
        takes_order.start_many((number,) for number in range(10))

        self.assertEqual([4, 4, 2, 0], [self.claim(4)[0] for _ in range(4)])

    def test_of_unknown_names_puts_them_aside_in_two(self):
        """However many there are."""
        counts = []
        for number in (5, 50):
            takes_order.start_many((each,) for each in range(number))
            Workflow.objects.update(name="elsewhere.ship")
            counts.append(len(self.claim(5, names=["other.name"])[1]))
            Workflow._base_manager.all().delete()

        self.assertEqual([3, 3], counts)


class AWorkersTurn(TestCase):
    def setUp(self):
        Queue.objects.ensure("default", "second")
        takes_order.using(delay=10).start_many((number,) for number in range(30))
        takes_order.using(timeout=5).start_many((number,) for number in range(30))

    def test_looks_once(self):
        """Queues, suspects, timers, orphans and deadlines are one statement."""
        with statements() as seen:
            look("default", lambda _queue: True)

        self.assertEqual(1, len(seen))

    def test_promotes_in_two_statements(self):
        """However many are due, up to the bound of one batch."""
        with travel(seconds=11), statements() as seen:
            promoted = Workflow.objects.promote()

        writes = [each for each in summary(seen) if each not in {"SAVEPOINT", "RELEASE"}]
        self.assertEqual((30, ["SELECT workflow", "UPDATE workflow"]), (promoted, writes))

    def test_promotes_a_bounded_batch(self):
        """The rest is left for the next turn; C20."""
        with travel(seconds=11):
            self.assertEqual([20, 10, 0], [Workflow.objects.promote(20) for _ in range(3)])

    def test_ends_overdue_ones_in_a_constant_number(self):
        """For one deadline that has passed and for thirty."""
        counts = []
        Worker.objects.register("w", 3600, hostname="test", pid=0)
        for limit in (1, 29):
            Workflow.objects.claim("w", "default", limit, names=NAMES())
            with travel(seconds=6), statements() as seen:
                Workflow.objects.expire()
            counts.append(len(seen))

        self.assertEqual(counts[0], counts[1])

    def test_looks_for_known_code_in_one(self):
        """Nothing is aside: one SELECT."""
        with statements() as seen:
            Workflow.objects.promote_known(NAMES())

        self.assertEqual(["SELECT workflow"], summary(seen))


class TheVerbs(TestCase):
    def test_of_one_row_are_of_constant_cost(self):
        """cancel, pause and resume of a row: a look, a lock, an update; for a cancellation also a look for children."""
        for verb, most in (("pause", 8), ("resume", 14), ("cancel", 9)):
            handle = acts.start()
            if verb == "resume":
                row(handle).pause()
            found = row(handle)
            with self.subTest(verb=verb), statements() as seen:
                getattr(found, verb)()
            self.assertLessEqual(len(seen), most)

    def test_of_a_handle_are_one_read(self):
        """refresh() and the result of an ended workflow."""
        handle = takes_order.start(7)
        run_until_idle()

        with self.assertNumQueries(1):
            handle.refresh()
        with self.assertNumQueries(1):
            handle.result()
        self.assertEqual("default", connection.alias)
