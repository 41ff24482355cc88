"""engine/wakeups.py: the ring after a commit, and the bell that idle workers wait at."""

import itertools
import threading
from unittest import mock, skipUnless

from django.db import DatabaseError, connection, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from durable_django import signals
from durable_django.engine import wakeups
from tests.behaviour.support import elsewhere, eventually, statements
from tests.sample.models import Mark
from tests.sample.promises import takes_order

ON_POSTGRESQL = skipUnless(connection.vendor == "postgresql", "SQLite has no notifications")
ON_SQLITE = skipUnless(connection.vendor == "sqlite", "data_version is SQLite's")


class BellTestCase(TransactionTestCase):
    def setUp(self):
        patched = mock.patch.dict(wakeups._last_ring, clear=True)
        patched.start()
        self.addCleanup(patched.stop)

    def rings(self, seen):
        return len([sql for sql in seen if "pg_notify" in sql])


@ON_POSTGRESQL
class ARing(BellTestCase):
    def test_comes_after_the_commit(self):
        """Never inside the transaction, where NOTIFY would take a lock on the whole database."""
        with statements() as seen, transaction.atomic():
            takes_order.start(7)

        self.assertEqual(1, self.rings(seen))
        self.assertLess(seen.index("COMMIT"), len(seen) - 1)

    def test_of_a_rollback_does_not_come(self):
        """Nobody is woken for nothing."""
        with statements() as seen, transaction.atomic():
            takes_order.start(7)
            transaction.set_rollback(True)

        self.assertEqual(0, self.rings(seen))

    def test_comes_once_for_many_starts_in_a_row(self):
        """At most one in ten milliseconds; a worker that was rung looks again by itself."""
        with mock.patch.object(wakeups.clock, "elapsed_seconds", return_value=100.0), statements() as seen:
            for number in range(5):
                takes_order.start(number)

        self.assertEqual(1, self.rings(seen))

    def test_can_be_turned_off(self):
        """NOTIFY = False: workers poll."""
        with override_settings(DURABLE_DJANGO={"NOTIFY": False}), statements() as seen:
            takes_order.start(7)

        self.assertEqual(0, self.rings(seen))

    def test_is_spared_for_later(self):
        """A workflow that is due after the next poll wakes nobody now."""
        with statements() as seen:
            takes_order.using(delay=60).start(7)

        self.assertEqual(0, self.rings(seen))

    def test_that_fails_harms_nobody(self):
        """The work is committed; the failure is a signal."""
        heard = []

        def hear(error, **_facts):
            heard.append(error)

        signals.wakeup_failed.connect(hear)
        self.addCleanup(signals.wakeup_failed.disconnect, hear)
        with connection.execute_wrapper(self.refuse_notify):
            handle = takes_order.start(7)

        self.assertEqual("queued", handle.refresh().status)
        self.assertIsInstance(heard[0], DatabaseError)

    @staticmethod
    def refuse_notify(execute, sql, params, many, context):
        if "pg_notify" in sql:
            raise DatabaseError("no right to notify")
        return execute(sql, params, many, context)


class ABell(BellTestCase):
    def test_rings_for_a_start_elsewhere(self):
        """Another connection commits: the waiting one is woken long before its time is over."""
        bell = wakeups.bell("default")
        bell.wait(0.01)
        bell.wait(0.01)
        thread = threading.Timer(0.05, lambda: elsewhere(lambda: takes_order.start(7)))
        self.addCleanup(thread.join)
        thread.start()

        self.assertTrue(bell.wait(30))

    def test_that_nobody_rings_stays_silent(self):
        """It waits its time."""
        bell = wakeups.bell("default")
        eventually(lambda: not bell.wait(0.02), "the bell was silent")

        self.assertFalse(bell.wait(0.02))

    def test_without_notify_is_a_pause(self):
        """NOTIFY = False, or a database that has none: it only waits."""
        with override_settings(DURABLE_DJANGO={"NOTIFY": False}):
            bell = wakeups.bell("default")
        with mock.patch("time.sleep") as slept:
            rang = bell.wait(0.5)

        self.assertIs(wakeups.Bell, type(bell))
        self.assertFalse(rang)
        slept.assert_called_once_with(0.5)

    def test_that_is_new_rings_at_once(self):
        """What came before it listened was heard by nobody: look."""
        self.assertTrue(wakeups.bell("default").wait(30))

    @ON_POSTGRESQL
    def test_listens_again_on_a_new_connection(self):
        """After a break it rings once, and hears again."""
        bell = wakeups.bell("default")
        bell.wait(0.01)
        connection.close()

        self.assertTrue(bell.wait(30))
        elsewhere(lambda: takes_order.start(7))
        self.assertTrue(bell.wait(30))

    @ON_POSTGRESQL
    def test_whose_connection_breaks_says_so(self):
        """As a DatabaseError, which the heartbeat knows how to take."""
        bell = wakeups.bell("default")
        bell.wait(0.01)
        pid = connection.connection.info.backend_pid

        def end_session():
            from django.db import connection as other

            with other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

        elsewhere(end_session)
        with self.assertRaises(DatabaseError):
            while True:
                bell.wait(5)
        connection.close()

    @ON_SQLITE
    def test_glances_even_if_its_time_is_over(self):
        """A machine that is busy may let so long pass before the first glance."""
        bell = wakeups.bell("default")
        with mock.patch.object(wakeups.clock, "elapsed_seconds", side_effect=itertools.count()):
            self.assertTrue(bell.wait(0.01))

    @ON_SQLITE
    def test_does_not_hear_its_own_connection(self):
        """data_version counts the commits of others."""
        bell = wakeups.bell("default")
        bell.wait(0.01)
        Mark.objects.create(label="own")

        self.assertFalse(bell.wait(0.02))


class InATestCase(TestCase):
    def test_nothing_is_rung(self):
        """Nothing is ever committed."""
        with statements() as seen:
            takes_order.start(7)

        self.assertEqual(1, len(seen))


class TheKindOfABell(SimpleTestCase):
    databases = {"default"}

    def test_is_that_of_the_database(self):
        """LISTEN, data_version, or nothing."""
        for vendor, kind in (
            ("postgresql", wakeups.PostgresBell),
            ("sqlite", wakeups.SqliteBell),
            ("mysql", wakeups.Bell),
        ):
            with self.subTest(vendor=vendor), mock.patch.object(connection, "vendor", vendor):
                self.assertIs(kind, type(wakeups.bell("default")))
