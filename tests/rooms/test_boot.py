"""worker/boot.py: reasons to refuse, and the settings of a worker's connections."""

from types import SimpleNamespace
from unittest import mock

from django.db import connections
from django.test import SimpleTestCase, TestCase, override_settings

from durable_django.worker import boot


def prepared(vendor, **settings):
    """Return the settings of an alias after a worker has prepared them."""
    wrapper = mock.Mock(vendor=vendor)
    manager = mock.MagicMock()
    manager.__getitem__.return_value = wrapper
    manager.settings = {"default": settings}
    with mock.patch.object(boot, "connections", manager):
        boot.prepare_connections("default")
    wrapper.close.assert_called_once_with()
    manager.__delitem__.assert_called_once_with("default")
    return settings


class AConnectionToPostgreSQL(SimpleTestCase):
    def test_ends_the_transactions_of_the_frozen(self):
        """The server does so within a lease; a half-open connection is noticed as soon."""
        with override_settings(DURABLE_DJANGO={"LEASE_SECONDS": 30}):
            options = prepared("postgresql")["OPTIONS"]

        self.assertEqual("-c idle_in_transaction_session_timeout=30000", options["options"])
        self.assertEqual((1, 10, 3, 3, 30000, 10), (
            options["keepalives"], options["keepalives_idle"], options["keepalives_interval"],
            options["keepalives_count"],
            options["tcp_user_timeout"], options["connect_timeout"],
        ))  # fmt: skip

    def test_keeps_what_the_project_says(self):
        """Its own options stand beside ours, its own timeouts win."""
        options = prepared("postgresql", OPTIONS={"options": "-c lock_timeout=5", "connect_timeout": 3})["OPTIONS"]

        self.assertIn("-c lock_timeout=5 -c idle_in_transaction_session_timeout=", options["options"])
        self.assertEqual(3, options["connect_timeout"])


class AConnectionToSQLite(SimpleTestCase):
    def test_begins_immediately(self):
        """Whatever the settings say: a read that becomes a write would fail at once; I1, I2."""
        for settings in ({}, {"OPTIONS": {"transaction_mode": "DEFERRED"}}):
            options = prepared("sqlite", **settings)["OPTIONS"]

            self.assertEqual(("IMMEDIATE", 20), (options["transaction_mode"], options["timeout"]))

    def test_keeps_the_timeout_of_the_project(self):
        """It may be patient or not."""
        self.assertEqual(3, prepared("sqlite", OPTIONS={"timeout": 3})["OPTIONS"]["timeout"])


class AnyConnection(SimpleTestCase):
    def test_is_kept_between_workflows(self):
        """CONN_MAX_AGE of 0 would open one for each; other values, and pools, stay as they are."""
        for vendor in ("sqlite", "postgresql"):
            self.assertGreater(prepared(vendor, CONN_MAX_AGE=0)["CONN_MAX_AGE"], 0)
            self.assertEqual(60, prepared(vendor, CONN_MAX_AGE=60)["CONN_MAX_AGE"])
            self.assertIsNone(prepared(vendor, CONN_MAX_AGE=None)["CONN_MAX_AGE"])
            self.assertEqual(0, prepared(vendor, CONN_MAX_AGE=0, OPTIONS={"pool": True})["CONN_MAX_AGE"])


class TheHeartbeatsConnection(SimpleTestCase):
    databases = {"default"}

    def test_is_outside_of_the_pool(self):
        """It never waits for one of the project's."""
        wrapper = SimpleNamespace(settings_dict={"OPTIONS": {"pool": {"max_size": 2}, "sslmode": "prefer"}})
        manager = {"default": mock.Mock(copy=lambda: wrapper)}
        with mock.patch.object(boot, "connections", manager):
            boot.separate_from_pool("default")

        self.assertEqual({"sslmode": "prefer"}, manager["default"].settings_dict["OPTIONS"])


class AnImpatientConnection(SimpleTestCase):
    def options(self, vendor, **options):
        """Return the options of the connection that a block gets in the place of the thread's own."""
        own = mock.Mock(vendor=vendor)
        own.copy.return_value = impatient = mock.Mock(settings_dict={"OPTIONS": options})
        manager = {"default": own}
        with mock.patch.object(boot, "connections", manager):
            with self.assertRaises(LookupError), boot.giving_up_after(3, "default"):
                self.assertIs(impatient, manager["default"])
                raise LookupError
            self.assertIs(own, manager["default"])
        impatient.close.assert_called_once_with()
        own.close.assert_not_called()
        return options

    def test_to_postgresql_waits_for_no_server_no_lock_and_no_answer(self):
        """Whatever the project allows; not for a place in its pool either."""
        options = self.options("postgresql", options="-c lock_timeout=0", connect_timeout=60, pool=True)

        limits = "-c lock_timeout=0 -c statement_timeout=3000 -c lock_timeout=3000"
        self.assertEqual({"options": limits, "connect_timeout": 3, "tcp_user_timeout": 3000}, options)

    def test_to_sqlite_waits_for_no_lock(self):
        """Whatever the project allows."""
        self.assertEqual({"timeout": 3}, self.options("sqlite", timeout=3600))

    def test_to_another_database_is_as_the_project_says(self):
        """It is at least one of its own."""
        self.assertEqual({"charset": "utf8"}, self.options("mysql", charset="utf8"))


class Refusals(TestCase):
    def test_are_none_where_all_is_well(self):
        """The suite's own database is migrated, its checks pass."""
        self.assertEqual([], boot.refusals("default"))
        self.assertTrue(connections["default"])

    @override_settings(DURABLE_DJANGO={"THREADS": 0, "THREAD": 1})
    def test_are_all_the_errors_of_the_checks(self):
        """Not only the first."""
        found = boot.refusals("default")

        self.assertEqual(2, len(found))
        self.assertIn("durable_django.E003", " ".join(found))
