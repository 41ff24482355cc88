"""checks/, of the database: where the tables lie, its kind, its options, its connections, what the tables lack."""

from contextlib import contextmanager
from unittest import mock

from django.core import checks
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase, override_settings

from durable_django import checks as ours
from durable_django.base import registry
from durable_django.base.registry import WorkflowRegistry
from durable_django.checks import sqlite
from durable_django.models import Schedule
from durable_django.worker.options import WorkerOptions
from tests.behaviour.scheduling import make
from tests.behaviour.test_declared_schedules import declaring
from tests.rooms.checking import CheckTestCase, found
from tests.rooms.test_checks import JUNK
from tests.sample.scheduled import takes_nothing


@contextmanager
def database(vendor=None, **settings):
    """Let the settings of the database say this while the block runs, and its kind be that."""
    connection = connections["default"]
    with (
        mock.patch.dict(connection.settings_dict, settings),
        mock.patch.object(connection, "vendor", vendor or connection.vendor),
    ):
        yield


class Router:
    """Sends one model elsewhere, or everything."""

    model, alias, is_migrated = "step", "default", True

    def db_for_write(self, model, **_hints):
        is_meant = model._meta.app_label == "durable_django" and self.model in {model._meta.model_name, ""}
        return self.alias if is_meant else None

    def allow_migrate(self, _db, app_label, model_name=None, **_hints):
        return self.is_migrated if app_label == "durable_django" and model_name == self.model else None


class RoutesToAnother(Router):
    alias = "jobs"


class RoutesAllToNowhere(Router):
    model, alias = "", "jobs"


class MakesNoTable(Router):
    is_migrated = False


class Raises(Router):
    def db_for_write(self, *_facts, **_hints):
        raise RuntimeError("no tenant")


def routed_by(router):
    """Use a router while the block runs."""
    return override_settings(DATABASE_ROUTERS=[router()])


class TheRouters(CheckTestCase):
    def test_that_keep_the_tables_together_are_fine(self):
        """None at all, or one that says so."""
        self.assertEqual([], ours.check_routing())
        with routed_by(Router):
            self.assertEqual([], ours.check_routing())

    def test_E018_that_spread_the_tables(self):
        """Both databases are named, with what a router should answer."""
        with routed_by(RoutesToAnother):
            self.assert_message(
                ours.check_routing(), "E018", "spread", "'default', 'jobs'", hint="app_label == 'durable_django'"
            )

    def test_E018_that_answer_nothing_useful(self):
        """A database that is not there, an exception: and no other check raises."""
        for router, words in (
            (RoutesAllToNowhere, "'jobs', which is not in DATABASES"),
            (Raises, "RuntimeError: no tenant"),
        ):
            with self.subTest(router=router), routed_by(router):
                self.assert_message(ours.check_routing(), "E018", words, hint="to one")
                for check in (ours.check_database, ours.check_transactions, ours.check_postgresql, ours.check_pool):
                    self.assertEqual([], check())
                for check in (ours.check_connections, ours.check_tables, ours.check_migrations):
                    self.assertEqual([], check(databases=["default", "jobs"]))

    def test_E014_that_let_no_table_be_made(self):
        """Where they send rows, `migrate` must be allowed."""
        with routed_by(MakesNoTable):
            self.assert_message(ours.check_routing(), "E014", "Step to 'default'", hint="allow_migrate()")


class TheDatabase(CheckTestCase):
    def check(self, **changes):
        """Look at the database with other settings."""
        connection = connections["default"]
        with (
            mock.patch.dict(connection.settings_dict, changes.pop("settings", {})),
            mock.patch.multiple(connection, **changes),
        ):
            return ours.check_database()

    def test_of_this_suite_is_fine(self):
        """PostgreSQL, or SQLite with a write-ahead log."""
        self.assertEqual([], ours.check_database())

    def test_E006_that_is_another_one(self):
        """Named, with the way out."""
        messages = self.check(vendor="mysql", display_name="MySQL")

        self.assert_message(messages, "E006", "'default' is MySQL", hint="Use PostgreSQL or SQLite")

    def test_E007_that_is_in_memory(self):
        """Workers are other processes: they cannot open it."""
        for name in (":memory:", "file:x?mode=memory&cache=shared"):
            with self.subTest(name=name):
                messages = self.check(vendor="sqlite", settings={"NAME": name})
                self.assert_message(messages, "E007", "in memory", hint="BASE_DIR / 'db.sqlite3'")

    def test_E009_that_is_an_old_sqlite(self):
        """It cannot return what an UPDATE has changed, which is how workflows are claimed."""
        if connections["default"].vendor != "sqlite":
            self.skipTest("the version of SQLite matters on SQLite only")
        with (
            mock.patch.object(sqlite.sqlite3, "sqlite_version_info", (3, 34, 1)),
            mock.patch.object(sqlite.sqlite3, "sqlite_version", "3.34.1"),
        ):
            messages = ours.check_database()

        self.assert_message(messages, "E009", "SQLite 3.34.1", hint="3.35 or newer")

    def test_in_memory_for_tests_is_no_error(self):
        """Django's test runner puts its own database there; run_until_idle() works in it."""
        options = {"init_command": "PRAGMA journal_mode=WAL"}
        name = "file:memorydb_default?mode=memory&cache=shared"

        self.assertEqual([], self.check(vendor="sqlite", settings={"NAME": name, "OPTIONS": options}))

    def test_W001_without_a_write_ahead_log(self):
        """A warning, with the setting to copy."""
        messages = self.check(vendor="sqlite", settings={"NAME": "x.sqlite3", "OPTIONS": {}})

        self.assert_message(messages, "W001", "without a write-ahead log", hint="PRAGMA journal_mode=WAL")
        self.assertEqual(checks.WARNING, messages[0].level)

    def test_E015_that_commits_nothing_by_itself(self):
        """The engine's single statements would be lost."""
        with database(AUTOCOMMIT=False):
            messages = ours.check_database()

        self.assert_message(messages, "E015", "AUTOCOMMIT", hint="transaction.atomic()")

    def test_with_whatever_options_makes_no_check_raise(self):
        """Django refuses some of them when it connects; that is not for these checks to say."""
        names = (
            "NAME",
            "OPTIONS",
            "CONN_MAX_AGE",
            "CONN_HEALTH_CHECKS",
            "ATOMIC_REQUESTS",
            "DISABLE_SERVER_SIDE_CURSORS",
        )
        options = ("pool", "isolation_level", "transaction_mode", "init_command")
        held = [{name: value} for value in JUNK for name in names]
        held += [{"OPTIONS": {name: value}} for value in JUNK for name in options]
        held += [{"OPTIONS": {"pool": {name: value}}} for value in JUNK for name in ("min_size", "max_size")]
        for vendor in ("sqlite", "postgresql"):
            for settings in held:
                with self.subTest(vendor=vendor, key=list(settings)), database(vendor, **settings):
                    for check in (ours.check_database, ours.check_transactions, ours.check_postgresql, ours.check_pool):
                        for message in check():
                            self.assertIn("durable_django.", str(message))


IMMEDIATE = {"transaction_mode": "IMMEDIATE"}


class TransactionsOnSQLite(CheckTestCase):
    def test_of_this_suite_are_fine(self):
        """IMMEDIATE, and none around requests; on PostgreSQL nothing is asked for."""
        self.assertEqual([], ours.check_transactions())
        with database("postgresql", OPTIONS={}, ATOMIC_REQUESTS=True):
            self.assertEqual([], ours.check_transactions())

    def test_W004_that_begin_with_a_read(self):
        """Django's default, or DEFERRED written out; EXCLUSIVE is stricter than need be, and works."""
        for options in ({}, {"transaction_mode": None}, {"transaction_mode": "deferred"}):
            with self.subTest(options=options), database("sqlite", OPTIONS=options):
                messages = ours.check_transactions()
                self.assert_message(messages, "W004", "database is locked", hint="'transaction_mode': 'IMMEDIATE'")
        for mode in ("immediate", "EXCLUSIVE"):
            with database("sqlite", OPTIONS={"transaction_mode": mode}):
                self.assertEqual([], ours.check_transactions())

    def test_W005_that_last_as_long_as_requests(self):
        """Workers would wait for each page."""
        with database("sqlite", OPTIONS=IMMEDIATE, ATOMIC_REQUESTS=True):
            self.assert_message(ours.check_transactions(), "W005", "ATOMIC_REQUESTS", hint="transaction.atomic()")


class ConnectionsToPostgreSQL(CheckTestCase):
    def test_of_this_suite_are_fine(self):
        """And on SQLite nothing is asked for."""
        self.assertEqual([], ours.check_postgresql())
        with database("sqlite", CONN_MAX_AGE=None, DISABLE_SERVER_SIDE_CURSORS=True, OPTIONS={"isolation_level": 4}):
            self.assertEqual([], ours.check_postgresql())

    def test_E016_that_do_not_see_what_others_commit(self):
        """REPEATABLE READ and SERIALIZABLE; the other two are the same to PostgreSQL."""
        for level in (3, 4):
            with database("postgresql", OPTIONS={"isolation_level": level}):
                self.assert_message(ours.check_postgresql(), "E016", "READ COMMITTED", hint="'isolation_level'")
        for level in (None, 1, 2):
            with database("postgresql", OPTIONS={"isolation_level": level}):
                self.assertEqual([], ours.check_postgresql())

    def test_E017_of_a_pool_that_are_to_be_kept(self):
        """Django would raise at the first query."""
        for age in (None, 60):
            with self.subTest(age=age), database("postgresql", CONN_MAX_AGE=age, OPTIONS={"pool": True}):
                self.assert_message(ours.check_postgresql(), "E017", repr(age), hint="'CONN_MAX_AGE': 0")
        with database("postgresql", CONN_MAX_AGE=0, OPTIONS={"pool": True}):
            self.assertEqual([], ours.check_postgresql())

    def test_W006_that_are_kept_for_ever_and_never_tried(self):
        """With a trial, or an end, they are fine."""
        with database("postgresql", CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=False):
            self.assert_message(ours.check_postgresql(), "W006", "for ever", hint="'CONN_HEALTH_CHECKS': True")
        for settings in (
            {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True},
            {"CONN_MAX_AGE": 600},
            {"CONN_MAX_AGE": 0},
        ):
            with database("postgresql", **settings):
                self.assertEqual([], ours.check_postgresql())

    def test_W008_through_a_pooler_on_which_workers_listen(self):
        """Unless they poll."""
        with database("postgresql", DISABLE_SERVER_SIDE_CURSORS=True):
            messages = found(ours.check_postgresql)
            self.assertEqual([], found(ours.check_postgresql, NOTIFY=False))

        self.assert_message(messages, "W008", "LISTEN", hint="'NOTIFY': False")


class TheConnectionPool(CheckTestCase):
    def found(self, pool, **durable):
        """Look at a project without async workflows that has this pool."""
        with (
            database("postgresql", OPTIONS={"pool": pool}),
            mock.patch.object(registry, "workflows", WorkflowRegistry()),
        ):
            return found(ours.check_pool, **durable)

    def test_W007_that_is_smaller_than_one_process(self):
        """Each thread, and the loop; `True` is psycopg_pool's four."""
        for pool, size in (
            (True, 4),
            ({"min_size": 6}, 6),
            ({"min_size": 2, "max_size": 8}, 8),
            ({"max_size": None}, 4),
        ):
            with self.subTest(pool=pool):
                messages = self.found(pool)
                self.assert_message(messages, "W007", f"at most {size}", "up to 9", hint="'max_size'")

    def test_that_is_large_enough_is_fine(self):
        """So is none."""
        for pool, threads in (({"max_size": 9}, 8), (True, 3), (None, 500), ({}, 500)):
            with self.subTest(pool=pool):
                self.assertEqual([], self.found(pool, THREADS=threads))

    def test_is_held_against_the_options_of_a_command(self):
        """What a worker says when it starts."""
        with (
            database("postgresql", OPTIONS={"pool": {"max_size": 9}}),
            mock.patch.object(registry, "workflows", WorkflowRegistry()),
        ):
            messages = ours.judge_connections("default", WorkerOptions(threads=20))

        self.assert_message(messages, "W007", "up to 21")


class TheConnections(TestCase):
    def test_W003_more_than_the_server_takes(self):
        """Of one process of the settings; asked by `check --database`, and by no check that asks no database."""
        with override_settings(DURABLE_DJANGO={"THREADS": 5000}):
            untold = checks.run_checks()
            told = [each for each in checks.run_checks(databases=["default"]) if each.id == "durable_django.W003"]

        self.assertEqual([], untold)
        if connection.vendor == "postgresql":
            self.assert_message(told, "W003", "5018 connections", "threads + 2", hint="max_connections")
        else:
            self.assertEqual([], told)

    assert_message = CheckTestCase.assert_message


class TheTables(TestCase):
    assert_message = CheckTestCase.assert_message

    def check(self):
        """Ask the database, as for a deployment."""
        return [*ours.check_migrations(databases=["default"]), *ours.check_tables(databases=["default"])]

    def test_that_are_complete_are_fine(self):
        """Nothing is asked unless the database is named."""
        self.assertEqual([], self.check())
        with self.assertNumQueries(0):
            for check in (ours.check_tables, ours.check_migrations):
                self.assertEqual([], check(databases=["another"]))
                self.assertEqual([], check())

    def test_W013_without_the_latest_migration(self):
        """A warning, and of deployments only: `migrate` asks all other checks before it applies what they miss."""
        last = MigrationRecorder(connection).migration_qs.filter(app="durable_django").latest("name")
        last.delete()
        messages = self.check()

        self.assert_message(messages, "W013", last.name, hint="manage.py migrate --database default")
        self.assertEqual(checks.WARNING, messages[0].level)

    def test_W013_of_migrations_that_cannot_be_read_says_nothing(self):
        """`migrate` says what is wrong with them."""
        with override_settings(MIGRATION_MODULES={"shop": "nowhere.migrations", "durable_django": None}):
            self.assertEqual([], self.check())

    def test_W014_without_an_index(self):
        """The hint makes it again: partial ones, and unique ones with a condition."""
        for name in ("durable_schedule_next", "durable_workflow_runnable", "durable_workflow_dedup"):
            with self.subTest(name=name), connection.cursor() as cursor:
                cursor.execute(f"DROP INDEX {name}")
                messages = self.check()
                self.assert_message(messages, "W014", name, hint="INDEX")
                cursor.execute(messages[0].hint.removeprefix("Make it again: "))
                self.assertEqual([], self.check())

    def test_W015_with_a_schedule_that_cannot_fire(self):
        """Its workflow is gone, its text was changed by other hands, or a worker has found why."""
        for columns, words in (
            ({"workflow": "sample.gone"}, "no loaded code has the workflow 'sample.gone'"),
            ({"cron": "61 * * * *"}, "61"),
            ({"queue": "nobody"}, "nobody"),
            ({"error": "Told by a worker."}, "Told by a worker."),
        ):
            with self.subTest(columns=columns):
                Schedule.objects.all().delete()
                Schedule.objects.create(name="nightly", cron="0 2 * * *", workflow="sample.takes_nothing")
                self.assertEqual([], self.check())
                Schedule.objects.write(**columns)

                self.assert_message(self.check(), "W015", "Schedule nightly", words, hint="schedules nightly --pause")

    def test_W017_with_a_schedule_of_another_project(self):
        """Which has the same name; also while it is paused, but not if it was retired."""
        schedule = make(name="nightly", workflow="bakery.bake", application="bakery")
        with declaring((takes_nothing, "0 2 * * *", {"name": "nightly"})):
            self.assert_message(self.check(), "W017", "Schedule nightly", "'bakery'", hint="another name")
            schedule.pause()
            self.assert_message(self.check(), "W017", "Schedule nightly", "'bakery'", hint="another name")
            Schedule.objects.write(is_retired=True)
            self.assertEqual([], self.check())
            Schedule.objects.write(is_retired=False, application="")
            self.assertEqual([], self.check())

    def test_with_a_schedule_that_is_paused_or_not_ours_are_fine(self):
        """Somebody has seen it, or another project runs it."""
        for columns in ({"is_paused": True}, {"is_retired": True}, {"application": "billing"}):
            Schedule.objects.all().delete()
            Schedule.objects.create(name="nightly", cron="0 2 * * *", workflow="sample.gone")
            Schedule.objects.write(**columns)
            self.assertEqual([], self.check())
