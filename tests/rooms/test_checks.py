"""checks.py: each misconfiguration is found by `manage.py check`, with id, message and hint."""

import inspect
import math
import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest import mock

from django.core import checks
from django.db import connection, connections
from django.test import SimpleTestCase, TestCase, override_settings

from durable_django import checks as ours
from durable_django import schedule
from durable_django.api.workflows import WorkflowDefinition
from durable_django.base import registry, timetable
from durable_django.base.registry import Registered, WorkflowRegistry
from durable_django.base.timetable import Timetable
from durable_django.conf import defaults
from tests.sample.promises import second_queue
from tests.sample.scheduled import takes_both, takes_nothing


def checkout(order):
    return order


def checkout_too(order):
    return order


def found(check, **durable):
    """Return the messages of one check under these settings."""
    with override_settings(DURABLE_DJANGO=durable):
        return check()


class CheckTestCase(SimpleTestCase):
    databases = {"default"}

    def assert_message(self, messages, id_, *words, hint=""):
        """There is just one message, of that id, that says all the words."""
        self.assertEqual([f"durable_django.{id_}"], [message.id for message in messages])
        for each in words:
            self.assertIn(each, messages[0].msg)
        self.assertIn(hint, messages[0].hint or "")


class TheSettings(CheckTestCase):
    def test_that_are_fine_say_nothing(self):
        """Defaults, every default written out, and plausible values."""
        self.assertEqual([], found(ours.check_settings))
        self.assertEqual([], found(ours.check_settings, **defaults()))
        self.assertEqual(
            [], found(ours.check_settings, LEASE_SECONDS=10.5, HEARTBEAT_SECONDS=1, NOTIFY=False, THREADS=1)
        )
        self.assertEqual(
            [], found(ours.check_settings, RETENTION_DAYS=None, FAILED_RETENTION_DAYS=0.5, IDEMPOTENCY_DAYS=0)
        )

    def test_E001_that_are_no_dict(self):
        """A list of pairs, a text, None."""
        for value in ([("THREADS", 2)], "x", None, 5):
            with self.subTest(value=value), override_settings(DURABLE_DJANGO=value):
                self.assert_message(
                    ours.check_settings(), "E001", "must be a dict", repr(value), hint="{'LEASE_SECONDS': 30}"
                )

    def test_E002_with_an_unknown_key(self):
        """The hint names the nearest key, or all of them."""
        self.assert_message(
            found(ours.check_settings, LEASE_SECOND=5),
            "E002",
            "no key 'LEASE_SECOND'",
            hint="Did you mean 'LEASE_SECONDS'?",
        )
        self.assert_message(
            found(ours.check_settings, ZZZ=5), "E002", "'ZZZ'", hint="Known keys: APPLICATION, ASYNC_CONCURRENCY"
        )
        self.assert_message(found(ours.check_settings, lease_seconds=5), "E002", "'lease_seconds'")

    def test_E003_with_a_wrong_value(self):
        """Type and bounds are told, with the value and the default."""
        for key, values, words in (
            ("LEASE_SECONDS", (0, -1, "30", None, True, math.inf, math.nan), "must be a number from 1"),
            ("HEARTBEAT_SECONDS", (0, "5"), "must be a number from 0.1"),
            ("POLL_SECONDS", (0, -1), "must be a number from 0.01"),
            ("NOTIFY", (1, 0, "yes", None), "must be True or False"),
            ("THREADS", (0, 2.0, "8", True), "must be a whole number from 1"),
            ("DEFAULT_QUEUE", ("", "  ", None, 5), "must be a str"),
            ("MAX_RECOVERIES", (-1, 1.5), "must be a whole number from 0"),
            ("MAX_PAYLOAD_BYTES", (0, 1023, "1 MB"), "must be a whole number from 1024"),
            ("MAX_DEPTH", (0, 201), "must be a whole number from 1 to 200"),
            ("MAX_ID_LENGTH", (0, 256), "must be a whole number from 1 to 255"),
            ("MAX_ERROR_BYTES", (10,), "must be a whole number from 1024"),
            ("RETENTION_DAYS", (-1, "30", True, math.inf, 36_501), "must be a number from 0 to 36500, or None"),
            ("FAILED_RETENTION_DAYS", (-0.5, timedelta(days=90)), "must be a number from 0 to 36500, or None"),
            ("IDEMPOTENCY_DAYS", (-1, math.nan), "must be a number from 0 to 36500, or None"),
            ("APPLICATION", (None, 5), "must be a str"),
        ):
            for value in values:
                with self.subTest(key=key, value=value):
                    messages = found(ours.check_settings, **{key: value})
                    self.assert_message(
                        messages, "E003", words, repr(value), hint=f"The default is {defaults()[key]!r}"
                    )

    def test_E003_shows_no_secret(self):
        """A token of a wrong type may be the right one."""
        (message,) = found(ours.check_settings, MONITORING_TOKEN=b"hunter2")

        self.assertIn("must be a str, got bytes.", message.msg)
        self.assertNotIn("hunter2", f"{message.msg} {message.hint}")

    def test_E003_covers_every_key(self):
        """No setting takes just anything."""
        for key in defaults():
            with self.subTest(key=key):
                self.assert_message(found(ours.check_settings, **{key: object()}), "E003", key)

    def test_E008_with_a_heartbeat_too_near_the_lease(self):
        """One lost heartbeat must not cost the lease."""
        messages = found(ours.check_settings, LEASE_SECONDS=8, HEARTBEAT_SECONDS=5)

        self.assert_message(
            messages, "E008", "HEARTBEAT_SECONDS (5)", "half of LEASE_SECONDS (8)", hint="lost heartbeat"
        )
        self.assert_message(found(ours.check_settings, LEASE_SECONDS=5), "E008", "(5)")
        self.assertEqual([], found(ours.check_settings, LEASE_SECONDS=10))

    def test_E010_with_a_permission_that_is_none(self):
        """It must be there, and callable; nothing at all lets nobody read."""
        for path in ("nowhere.may_read", "may_read", "tests.settings.SECRET_KEY"):
            messages = found(ours.check_settings, STREAM_PERMISSION=path)
            self.assert_message(messages, "E010", path, hint="def may_read(request, workflow_id, key)")

        for path in ("", "tests.rooms.test_checks.found"):
            self.assertEqual([], found(ours.check_settings, STREAM_PERMISSION=path))

    def test_E013_with_a_redaction_that_is_none(self):
        """It must be there, and callable; none at all shows everything."""
        for path in ("nowhere.redact", "redact", "tests.settings.SECRET_KEY"):
            messages = found(ours.check_settings, REDACT=path)
            self.assert_message(messages, "E013", path, hint="def redact(name, value)")

        for path in ("", "tests.rooms.test_checks.found"):
            self.assertEqual([], found(ours.check_settings, REDACT=path))

    def test_that_are_wrong_twice_say_both(self):
        """All findings at once."""
        messages = found(ours.check_settings, THREAD=5, LEASE_SECONDS=0)

        self.assertEqual({"durable_django.E002", "durable_django.E003"}, {message.id for message in messages})


@contextmanager
def declared(*definitions):
    """Let just these workflows be declared while the block runs."""
    with mock.patch.object(registry, "workflows", WorkflowRegistry()):
        for definition in definitions:
            registry.workflows.add(definition)
        yield


class TheDeclarations(CheckTestCase):
    def test_that_are_fine_say_nothing(self):
        """Those of this suite."""
        self.assertEqual([], ours.check_declarations())

    def test_E004_of_two_workflows_with_one_name(self):
        """Both places are shown."""
        with declared(
            Registered(func=checkout, given_name="shop.checkout"),
            Registered(func=checkout_too, given_name="shop.checkout"),
        ):
            messages = ours.check_declarations()

        places = [f"{__file__}:{func.__code__.co_firstlineno}" for func in (checkout, checkout_too)]
        self.assert_message(messages, "E004", "'shop.checkout'", *places, hint="must differ")

    def test_E005_of_an_undeclared_queue(self):
        """Workflow and queue are named, and the nearest queue."""
        with declared(Registered(func=checkout, given_name="shop.checkout", queue="secnd")):
            messages = ours.check_declarations()

        self.assert_message(
            messages, "E005", "Workflow shop.checkout", "'secnd'", f"Did you mean {second_queue.name!r}?"
        )


class Schedules(CheckTestCase):
    def found(self, *declarations):
        """Return what is found if the code declares these: (workflow, options) each."""
        with mock.patch.object(timetable, "schedules", Timetable()):
            for definition, options in declarations:
                schedule("0 2 * * *", **options)(definition)
            return ours.check_schedules()

    def test_E011_of_two_with_one_name(self):
        """Of two workflows, or twice above one; both places are shown."""
        for second in (takes_both, takes_nothing):
            messages = self.found((takes_nothing, {"name": "s"}), (second, {"name": "s"}))
            self.assert_message(
                messages, "E011", "Two schedules are named 's'", "scheduled.py:", hint="a row of its own"
            )

    def test_E012_of_an_undeclared_queue(self):
        """Schedule and queue are named, and the nearest queue."""
        messages = self.found((takes_nothing, {"queue": "schedulde"}))
        self.assert_message(messages, "E012", "Schedule sample.takes_nothing", "Did you mean 'scheduled'?")

    def test_of_a_module_that_is_loaded_again_are_no_clash(self):
        """It declares the same function again."""
        again = WorkflowDefinition(takes_nothing.__wrapped__, Registered(func=takes_nothing.__wrapped__))
        self.assertEqual([], self.found((takes_nothing, {}), (again, {})))


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
            mock.patch.object(ours.sqlite3, "sqlite_version_info", (3, 34, 1)),
            mock.patch.object(ours.sqlite3, "sqlite_version", "3.34.1"),
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


class TheCommand(CheckTestCase):
    def test_that_is_ours_is_fine(self):
        """`manage.py worker` is found."""
        self.assertEqual([], ours.check_command())

    def test_W002_that_is_hidden_by_another_apps(self):
        """Named, with both ways out."""
        with mock.patch.object(ours, "get_commands", return_value={"worker": "celery_app"}):
            messages = ours.check_command()

        self.assert_message(messages, "W002", "celery_app", hint="manage.py durable worker")


class Tasks(CheckTestCase):
    def test_E104_without_a_package_that_has_them(self):
        """Django 5.2 does not ask its TASKS anything: nothing would be enqueued by this backend."""
        settings = {"default": {"BACKEND": "durable_django.tasks.DurableBackend"}, "other": {"BACKEND": "a.B"}}
        with override_settings(TASKS=settings):
            self.assertEqual([], ours.check_tasks())
            with mock.patch("durable_django.tasks.is_available", return_value=False):
                messages = ours.check_tasks()

        self.assert_message(messages, "E104", "TASKS['default']", hint="durable-django[tasks]")


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


class TheList(TestCase):
    def test_in_the_docstring_is_complete(self):
        """Each id that the code uses is described at the top, and tested here by name."""
        used = set(re.findall(r'id="durable_django\.([EW]\d{3})"', inspect.getsource(ours)))
        described = set(re.findall(r"\b([EW]\d{3})\b", ours.__doc__))
        with Path(__file__).open() as file:
            tested = set(re.findall(r"def test_([EW]\d{3})_", file.read()))

        self.assertEqual(used, described)
        self.assertEqual(used, tested)

    def test_is_run_by_manage_py_check(self):
        """The checks are registered; this suite passes them."""
        registered = {check.__name__ for check in checks.registry.registry.get_checks()}

        self.assertLessEqual({"check_settings", "check_declarations", "check_database", "check_command"}, registered)
        with override_settings(DURABLE_DJANGO={"THREADS": 0}):
            self.assertIn("durable_django.E003", [message.id for message in checks.run_checks()])
