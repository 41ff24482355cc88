"""Starting: one row in the caller's transaction, seen after commit, gone after rollback, nothing on error."""

from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from durable_django import NotSerializable, UnknownQueue, UnknownWorkflow, astart, definition_of, start
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import elsewhere, labels, row, statements
from tests.sample.promises import declared_otherwise, takes_order
from tests.sample.workflows import two_marks


class AStart(TestCase):
    def test_inserts_a_queued_row(self):
        """The row waits in its queue with everything that the decorator said; no step, no attempt yet."""
        workflow = row(two_marks.start("a"))

        self.assertEqual(("queued", "sample.two_marks", "default"), (workflow.status, workflow.name, workflow.queue))
        self.assertEqual((0, 0, None), (workflow.attempt, workflow.priority, workflow.worker))
        self.assertEqual('{"args":["a"],"kwargs":{}}', workflow.arguments)
        self.assertIsNotNone(workflow.created_at)
        self.assertIsNone(workflow.started_at)
        self.assertFalse(Step.objects.exists())

    def test_takes_the_options_of_the_decorator(self):
        """Queue, priority, timeout and max_recoveries of @workflow stand in the row."""
        workflow = row(declared_otherwise.start("a"))

        self.assertEqual(("second", 5), (workflow.queue, workflow.priority))
        self.assertEqual((3600, 2), (workflow.timeout_seconds, workflow.max_recoveries))
        self.assertIsNone(workflow.deadline)

    @override_settings(DURABLE_DJANGO={"MAX_RECOVERIES": 7, "DEFAULT_QUEUE": "main", "APPLICATION": "shop"})
    def test_takes_the_rest_from_the_settings(self):
        """MAX_RECOVERIES, DEFAULT_QUEUE and APPLICATION fill what the decorator left open."""
        workflow = row(two_marks.start("a"))

        self.assertEqual((7, "main", "shop"), (workflow.max_recoveries, workflow.queue, workflow.application))

    def test_returns_a_handle_with_a_new_id(self):
        """Generated ids differ and are ordered by time."""
        first, second = two_marks.start("a"), two_marks.start("a")

        self.assertLess(first.id, second.id)

    def test_runs_nothing_by_itself(self):
        """The workflow's code runs when a worker claims it, and once."""
        two_marks.start("a")
        before = labels()

        run_until_idle()
        run_until_idle()

        self.assertEqual([], before)
        self.assertEqual(["a-atomic", "a-plain"], labels())

    async def test_has_an_async_twin(self):
        """astart() starts the same."""
        handle = await takes_order.astart(7, note="x")

        await handle.arefresh()
        self.assertEqual('{"args":[7,"x"],"kwargs":{}}', handle.workflow.arguments)


class WhenAStartFails(TestCase):
    def assert_writes_nothing(self, error, words, act):
        with self.assertRaisesMessage(error, words), statements() as seen:
            act()
        self.assertEqual([], seen)
        self.assertFalse(Workflow.objects.exists())

    def test_arguments_that_do_not_fit_write_nothing(self):
        """Arguments are bound to the signature first: a missing, a surplus and an unknown one are named."""
        name = "sample.takes_order(order: 'int', note: 'str' = '', *, urgent: 'bool' = False)"
        for act, words in (
            (takes_order.start, "missing a required argument: 'order'"),
            (lambda: takes_order.start(1, "a", True), "too many positional arguments"),
            (lambda: takes_order.start(1, colour="red"), "unexpected keyword argument 'colour'"),
            (lambda: takes_order.start(1, order=2), "multiple values for argument 'order'"),
        ):
            with self.subTest(words):
                self.assert_writes_nothing(TypeError, words, act)
                self.assert_writes_nothing(TypeError, name.split("(", maxsplit=1)[0], act)

    def test_values_that_cannot_be_stored_write_nothing(self):
        """The path of the value is named."""
        self.assert_writes_nothing(NotSerializable, "argument 1", lambda: takes_order.start(object()))

    def test_an_undeclared_queue_writes_nothing(self):
        """UnknownQueue names the nearest declared one, and is an ImproperlyConfigured."""
        self.assert_writes_nothing(UnknownQueue, "Did you mean 'second'?", lambda: takes_order.using(queue="secnd"))
        self.assertTrue(issubclass(UnknownQueue, ImproperlyConfigured))


class AStartByName(TestCase):
    def test_is_the_same_start(self):
        """start("app.function", ...) needs no import of the function."""
        handle = start("sample.two_marks", "a")

        run_until_idle()

        self.assertEqual(["a-atomic", "a-plain"], handle.result())

    def test_of_an_unknown_name_names_the_nearest(self):
        """UnknownWorkflow is a LookupError and suggests a known name."""
        with self.assertRaisesMessage(UnknownWorkflow, "Did you mean 'sample.two_marks'?") as caught:
            start("sample.two_mark", "a")

        self.assertIsInstance(caught.exception, LookupError)
        self.assertEqual("sample.two_mark", caught.exception.name)

    def test_can_be_configured(self):
        """definition_of() gives the definition, for using()."""
        handle = definition_of("sample.two_marks").using(id="order-1").start("a")

        self.assertEqual("order-1", handle.id)

    async def test_has_an_async_twin(self):
        """astart("name", ...) starts the same."""
        handle = await astart("sample.two_marks", "a")

        self.assertEqual("queued", (await handle.arefresh()).status)


class ManyStarts(TestCase):
    def test_take_tuples_and_calls(self):
        """Handles come back in the order of the calls, which is also their order in line."""
        handles = takes_order.start_many([(1,), (2, "b"), takes_order.call(3, urgent=True), [4]])

        run_until_idle()

        self.assertEqual(["1  False", "2 b False", "3  True", "4  False"], [handle.result() for handle in handles])
        lines = [row(handle).line for handle in handles]
        self.assertEqual(sorted(lines), lines)

    def test_are_one_statement(self):
        """Sent for all of them without waiting for each."""
        with statements() as seen:
            takes_order.start_many((number,) for number in range(1500))

        inserts = [sql for sql in seen if "INSERT" in sql]
        self.assertEqual((1, 1500), (len(inserts), Workflow.objects.count()))
        self.assertTrue(inserts[0].startswith("1500 times: INSERT"))

    def test_of_which_one_is_bad_write_nothing(self):
        """All arguments are checked before the first row is written."""
        for bad, error in (((object(),), NotSerializable), ((), TypeError)):
            with self.subTest(error=error), self.assertRaises(error):
                takes_order.start_many([(1,), bad])

        self.assertFalse(Workflow.objects.exists())

    def test_share_the_options_of_using(self):
        """Queue, priority, delay, attributes and user hold for each."""
        many = takes_order.using(queue="second", priority=3, delay=60, attributes={"batch": 1}, user=5)
        rows = [row(handle) for handle in many.start_many([(1,), (2,)])]

        for workflow in rows:
            self.assertEqual(("second", 3, {"batch": 1}), (workflow.queue, workflow.priority, workflow.attributes))
            self.assertEqual("5", workflow.started_by)
            self.assertAlmostEqual(60, (workflow.run_after - workflow.created_at).total_seconds(), delta=0.1)

    def test_cannot_share_an_id(self):
        """using(id=) with start_many() is refused."""
        with self.assertRaisesMessage(ValueError, "they cannot all have the id 'order-1'"):
            takes_order.using(id="order-1").start_many([(1,)])

    def test_of_nothing_are_nothing(self):
        """An empty list starts nothing."""
        self.assertEqual([], takes_order.start_many([]))

    async def test_have_an_async_twin(self):
        """astart_many() starts the same."""
        handles = await takes_order.astart_many([(1,), (2,)])

        self.assertEqual(2, await Workflow.objects.filter(pk__in=[handle.id for handle in handles]).acount())


@contextmanager
def without_autocommit():
    """Let the block end its transactions itself; what it leaves open is rolled back."""
    transaction.set_autocommit(False)
    try:
        yield
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


class InsideATransaction(TransactionTestCase):
    def test_a_start_is_seen_after_commit_only(self):
        """Another connection finds the row when the block has ended, not before."""
        with transaction.atomic():
            handle = two_marks.start("a")
            before = elsewhere(lambda: Workflow.objects.filter(pk=handle.id).exists())

        after = elsewhere(lambda: Workflow.objects.filter(pk=handle.id).exists())
        self.assertEqual((False, True), (before, after))

    def test_a_rollback_leaves_nothing(self):
        """The start is gone with the block that raised."""
        with self.assertRaises(RuntimeError), transaction.atomic():
            two_marks.using(id="order-1").start("a")
            raise RuntimeError

        self.assertFalse(Workflow.objects.exists())

    def test_a_rolled_back_id_is_free_again(self):
        """What never existed conflicts with nothing."""
        with transaction.atomic():
            two_marks.using(id="order-1").start("a")
            transaction.set_rollback(True)

        handle = two_marks.using(id="order-1").start("b")

        self.assertEqual('{"args":["b"],"kwargs":{}}', row(handle).arguments)

    def test_a_savepoint_counts_like_a_transaction(self):
        """A start in an inner block that is rolled back is gone; one in the outer block stays."""
        with transaction.atomic():
            outer = two_marks.start("outer")
            with self.assertRaises(RuntimeError), transaction.atomic():
                two_marks.start("inner")
                raise RuntimeError

        self.assertEqual([outer.id], list(Workflow.objects.values_list("pk", flat=True)))

    def test_a_second_start_of_an_id_leaves_the_transaction_usable(self):
        """The conflict of ids is no database error: the block goes on."""
        two_marks.using(id="order-1").start("a")

        with transaction.atomic():
            again = two_marks.using(id="order-1").start("a")
            other = two_marks.start("b")

        self.assertEqual({again.id, other.id}, set(Workflow.objects.values_list("pk", flat=True)))

    def test_without_autocommit_it_rings_nobody(self):
        """Django cannot tell when the caller commits: the start is part of it, and workers poll."""
        with statements() as seen, without_autocommit():
            two_marks.start("a")
            two_marks.start_many([("b",)])
            before = elsewhere(Workflow.objects.count)
            transaction.commit()

        self.assertEqual((0, 2), (before, elsewhere(Workflow.objects.count)))
        self.assertEqual([], [sql for sql in seen if "pg_notify" in sql])

    def test_it_starts_on_the_callers_connection(self):
        """One connection, one statement, no savepoint: the start is part of what the caller does."""
        with transaction.atomic(), statements() as seen:
            two_marks.start("a")

        self.assertEqual(1, len(seen))
        self.assertTrue(seen[0].startswith("INSERT"))
        self.assertTrue(connection.features.supports_transactions)
