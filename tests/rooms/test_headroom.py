"""worker/headroom.py: whoever asks for more connections than the server takes is told so."""

from unittest import mock, skipUnless

from django.db import connection
from django.test import TestCase, override_settings

from durable_django.base.registry import WorkflowRegistry
from durable_django.worker import headroom
from durable_django.worker.options import WorkerOptions


def found(**options):
    return headroom.shortage("default", WorkerOptions(**options))


class AProcess(TestCase):
    def test_opens_one_for_each_thread_and_two(self):
        """And ASYNC_CONNECTIONS more if the project has async workflows."""
        with override_settings(DURABLE_DJANGO={"ASYNC_CONNECTIONS": 5}):
            self.assertEqual(8 + 2 + 5, headroom.connections_of_process(8))
            with mock.patch.object(headroom.registry, "workflows", WorkflowRegistry()):
                self.assertEqual(8 + 2, headroom.connections_of_process(8))


@skipUnless(connection.vendor == "postgresql", "only a server counts connections")
class OnPostgreSQL(TestCase):
    def test_enough_connections_are_no_news(self):
        """Nothing is said."""
        self.assertEqual("", found(threads=1, processes=1))

    def test_too_few_connections_are_told(self):
        """How many there may be, how that is counted, and how many the server takes."""
        self.assertRegex(found(threads=82, processes=20), r"may open 2000 connections .* \(20 x 100: .* takes \d+\.$")

    def test_a_pool_says_itself_how_many_there_may_be(self):
        """Django's own."""
        with mock.patch.dict(connection.settings_dict["OPTIONS"], pool={"max_size": 4}):
            self.assertEqual("", found(threads=82, processes=20))


@skipUnless(connection.vendor == "sqlite", "a file")
class OnSQLite(TestCase):
    def test_nobody_counts(self):
        """Nothing is said."""
        self.assertEqual("", found(threads=82, processes=20))
