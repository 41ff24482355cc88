"""worker/hygiene.py: broken and obsolete connections are closed around every unit of work."""

from unittest import mock

from django.db import connection, connections, transaction
from django.test import TransactionTestCase

from durable_django.base import clock
from durable_django.worker import hygiene
from tests.sample.models import Mark


def alive():
    Mark.objects.count()
    return connection.connection


class AUnitOfWork(TransactionTestCase):
    def test_keeps_a_good_connection(self):
        """Opening one for each workflow would cost more than the workflow."""
        with mock.patch.dict(connection.settings_dict, CONN_MAX_AGE=None):
            connection.close()
            before = alive()
            with hygiene.unit_of_work():
                during = alive()

            self.assertIs(before, during)
            self.assertIs(before, connection.connection)

    def test_closes_one_that_broke(self):
        """An error is followed by a look whether it still works; a dead one is replaced; G17."""
        alive()
        connection.errors_occurred = True
        with mock.patch.object(connections["default"], "is_usable", return_value=False), hygiene.unit_of_work():
            self.assertIsNone(connection.connection)

        self.assertTrue(alive())

    def test_closes_what_a_workflow_leaves_behind(self):
        """An error within it is seen at its end, also if it ended by an exception."""
        with (
            mock.patch.object(connections["default"], "is_usable", return_value=False),
            self.assertRaises(LookupError),
            hygiene.unit_of_work(),
        ):
            alive()
            connection.errors_occurred = True
            raise LookupError

        self.assertIsNone(connection.connection)

    def test_drops_a_connection_that_was_left_inside_a_transaction(self):
        """A block that user code entered and never left must not swallow the next workflow's commits."""
        before = alive()
        transaction.atomic().__enter__()

        with hygiene.unit_of_work():
            self.assertIsNot(before, connections["default"].connection)
            self.assertFalse(connections["default"].in_atomic_block)

    def test_forgets_the_log_of_queries(self):
        """Under DEBUG it would grow for ever; G20."""
        with mock.patch.dict(connection.settings_dict, CONN_MAX_AGE=None):
            for _ in range(3):
                with hygiene.unit_of_work():
                    alive()
                    self.assertLessEqual(len(connection.queries), 5)

    def test_gives_a_pooled_connection_back(self):
        """A pool is there to be shared."""
        alive()
        with (
            mock.patch.dict(connection.settings_dict, OPTIONS={"pool": True}, CONN_MAX_AGE=None),
            mock.patch.object(connections["default"], "close_if_unusable_or_obsolete"),
            mock.patch.object(connections["default"], "close") as close,
        ):
            hygiene.close_old()

        close.assert_called_once_with()


class ARest(TransactionTestCase):
    def test_that_was_long_makes_a_connection_doubtful(self):
        """The server may have closed it meanwhile: it is tried before it is used."""
        for seconds, tried in ((1, 0), (60, 1)):
            with mock.patch.dict(connection.settings_dict, CONN_MAX_AGE=None):
                alive()
                with mock.patch.object(connections["default"], "is_usable", return_value=True) as is_usable:
                    hygiene.close_old(idle_since=clock.elapsed_seconds() - seconds)
            with self.subTest(seconds=seconds):
                self.assertEqual(tried, is_usable.call_count)
