"""engine/sessions.py: sessions of running workflows, kept awake by the heartbeat while they idle in a transaction."""

from unittest import mock, skipIf, skipUnless

from django.db import OperationalError, connection, connections, transaction
from django.test import TransactionTestCase

from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.engine.sessions import OpenSessions
from tests.behaviour.states import claim
from tests.behaviour.support import acting, elsewhere
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_atomically, acts_itself

IS_POSTGRESQL = connection.vendor == "postgresql"
STIRRED = ("idle in transaction", "SELECT 1")


def session():
    """Return the number by which the server knows this thread's session."""
    return connection.connection.info.backend_pid


def activity(number):
    """Return what the server says of a session: its state, and the last statement that it was sent."""

    def read():
        with connection.cursor() as cursor:
            cursor.execute("SELECT state, query FROM pg_stat_activity WHERE pid = %s", [number])
            return cursor.fetchone()

    return elsewhere(read)


def end(number):
    """Let the server end a session, as it does with one that was idle in a transaction for too long."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [number])


@skipUnless(IS_POSTGRESQL, "SQLite has no server that would end a session")
class AnOpenSession(TransactionTestCase):
    def setUp(self):
        self.sessions = OpenSessions()

    def assert_stirred(self, expected):
        """Whether keep_awake(), called by another thread, sends this thread's session something to do."""
        number = session()
        elsewhere(self.sessions.keep_awake)
        self.assertEqual(expected, activity(number) == STIRRED)

    def test_is_stirred_while_it_idles_in_a_transaction(self):
        """In a block of atomic(), and in a transaction that user code began by hand."""
        with self.sessions.open("default"):
            with transaction.atomic():
                Mark.objects.count()
                self.assert_stirred(True)
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
            self.assert_stirred(True)
            connection.connection.rollback()

    def test_is_left_alone_outside_of_transactions(self):
        """The server ends no session that is idle in none."""
        with self.sessions.open("default"):
            Mark.objects.count()
            self.assert_stirred(False)

    def test_is_left_alone_in_a_transaction_that_failed(self):
        """Nothing can be sent to it but its rollback."""
        with self.sessions.open("default"), transaction.atomic():
            with self.assertRaises(connection.Database.ProgrammingError), connection.connection.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table")
            self.assert_stirred(False)
            transaction.set_rollback(True)

    def test_is_not_waited_for_while_it_executes(self):
        """The driver's lock says so; one that works needs no waking."""
        with self.sessions.open("default"), transaction.atomic():
            Mark.objects.count()
            with connection.connection.lock:
                self.assert_stirred(False)

    def test_may_be_replaced_meanwhile(self):
        """It is the thread that is watched: a session that it opens later is kept awake as well."""
        with self.sessions.open("default"):
            Mark.objects.count()
            before = session()
            connection.close()
            with transaction.atomic():
                Mark.objects.count()
                self.assertNotEqual(before, session())
                self.assert_stirred(True)

    def test_may_be_closed_meanwhile(self):
        """Then there is nothing to keep awake."""
        with self.sessions.open("default"):
            Mark.objects.count()
            connection.close()

            elsewhere(self.sessions.keep_awake)

    def test_may_have_been_ended_by_the_server(self):
        """That is the business of the thread that uses it, not of the one that beats."""

        def use_when_it_is_gone():
            with transaction.atomic():
                Mark.objects.count()
                number = session()
                elsewhere(lambda: end(number))
                for _ in range(2):
                    elsewhere(self.sessions.keep_awake)
                self.assertIsNone(activity(number))
                Mark.objects.count()

        with self.sessions.open("default"), self.assertRaises(OperationalError):
            use_when_it_is_gone()

    def test_may_break_at_any_moment(self):
        """Whatever the driver raises for it, the heartbeat goes on to the others."""
        broken = mock.MagicMock(closed=False)
        broken.info.transaction_status.name = "INTRANS"
        broken.pgconn.exec_.side_effect = connection.Database.OperationalError("the connection is closed")
        with self.sessions.open("default"), mock.patch.object(connections["default"], "connection", broken):
            elsewhere(self.sessions.keep_awake)

        broken.pgconn.exec_.assert_called_once()
        broken.lock.release.assert_called_once()

    def test_is_forgotten_at_the_end(self):
        """What its thread does later is its own."""
        with self.sessions.open("default"):
            pass
        with transaction.atomic():
            Mark.objects.count()
            self.assert_stirred(False)


@skipUnless(IS_POSTGRESQL, "SQLite has no server that would end a session")
class ARunningWorkflow(TransactionTestCase):
    def setUp(self):
        self.owner = Ownership("w")

    def assert_kept_awake(self, body, definition):
        """The heartbeat stirs the session of the thread that runs the body."""
        seen = []

        def look():
            number = session()
            elsewhere(self.owner.sessions.keep_awake)
            seen.append(activity(number))

        workflow = claim(definition.start(), "w")
        with acting(lambda: body(look)):
            attempts.attempt(workflow, self.owner, "default")
        self.assertEqual([STIRRED], seen)

    def test_is_kept_awake_in_an_atomic_step(self):
        """In the engine's own transaction."""

        def body(look):
            Mark.objects.count()
            look()

        self.assert_kept_awake(body, acts_atomically)

    def test_is_kept_awake_in_a_block_of_its_own(self):
        """Of a plain step, or of the workflow's code."""

        def body(look):
            with transaction.atomic():
                Mark.objects.count()
                look()

        for definition in (acts, acts_itself):
            with self.subTest(definition=definition.name):
                self.assert_kept_awake(body, definition)

    def test_is_forgotten_at_its_end(self):
        """Nobody stirs the thread's next piece of work."""
        attempts.attempt(claim(acts.start(), "w"), self.owner, "default")

        self.assertEqual({}, self.owner.sessions._connections)


@skipIf(IS_POSTGRESQL, "needs a database without sessions")
class AFile(TransactionTestCase):
    def test_has_no_sessions(self):
        """Nothing is watched, nothing is stirred."""
        sessions = OpenSessions()
        with sessions.open("default"), transaction.atomic():
            elsewhere(sessions.keep_awake)

            self.assertEqual({}, sessions._connections)
