"""checks/: the settings, the declarations, and the list of all checks; others stand in test_*_checks.py."""

import ast
import inspect
import math
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest import mock

from django.core import checks
from django.test import TestCase, override_settings

from durable_django import checks as ours
from durable_django import schedule
from durable_django.api.workflows import WorkflowDefinition
from durable_django.base import registry, timetable
from durable_django.base.registry import Registered, WorkflowRegistry
from durable_django.base.timetable import Timetable
from durable_django.checks import tables
from durable_django.conf import defaults
from durable_django.tasks import checking as ours_of_tasks
from tests.rooms.checking import SOURCES, CheckTestCase, found
from tests.sample.promises import second_queue
from tests.sample.scheduled import takes_both, takes_nothing

#: What might stand in any setting by mistake.
JUNK = [None, True, -1, 0, 0.5, math.nan, math.inf, 10**400, 10**5000, "", " ", ".", "..", ".x", "\0", "a" * 300]
JUNK += [
    "nowhere.at.all",
    "tests.settings.SECRET_KEY",
    "tests.rooms.broken",
    [],
    {},
    (1, 2),
    {"x"},
    object,
    len,
    "\ud800",
]


def checkout(order):
    return order


def checkout_too(order):
    return order


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
            (
                "LEASE_SECONDS",
                (0, -1, "30", None, True, math.inf, math.nan, 86_401),
                "must be a number from 1 to 86400",
            ),
            ("HEARTBEAT_SECONDS", (0, "5", 43_201), "must be a number from 0.1 to 43200"),
            ("POLL_SECONDS", (0, -1, 1e300), "must be a number from 0.01 to 86400"),
            ("NOTIFY", (1, 0, "yes", None), "must be True or False"),
            ("QUEUE_DELAY_SECONDS", (0, 2_592_001), "must be a number from 1 to 2592000"),
            ("THREADS", (0, 2.0, "8", True, 10_001), "must be a whole number from 1 to 10000"),
            ("ASYNC_CONCURRENCY", (0, 1_000_001), "must be a whole number from 1 to 1000000"),
            ("ASYNC_CONNECTIONS", (2, 10_001), "must be a whole number from 3 to 10000"),
            ("DEFAULT_QUEUE", ("", "  ", None, 5, "a\nb"), "must be a str of 1 to 255 printable characters"),
            ("MAX_RECOVERIES", (-1, 1.5, 2**31), "must be a whole number from 0 to 1000000"),
            ("MAX_PAYLOAD_BYTES", (0, 1023, "1 MB", 2**26 + 1), "must be a whole number from 1024 to 67108864"),
            ("MAX_DEPTH", (0, 201), "must be a whole number from 1 to 200"),
            ("MAX_ID_LENGTH", (0, 256), "must be a whole number from 1 to 255"),
            ("MAX_ERROR_BYTES", (10, 2**26 + 1), "must be a whole number from 1024 to 67108864"),
            ("RETENTION_DAYS", (-1, "30", True, math.inf, 36_501), "must be a number from 0 to 36500, or None"),
            ("FAILED_RETENTION_DAYS", (-0.5, timedelta(days=90)), "must be a number from 0 to 36500, or None"),
            ("IDEMPOTENCY_DAYS", (-1, math.nan), "must be a number from 0 to 36500, or None"),
            ("APPLICATION", (None, 5, "a\0"), "must be a str of at most 255 printable characters"),
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

        for path in ("", "tests.rooms.checking.found"):
            self.assertEqual([], found(ours.check_settings, STREAM_PERMISSION=path))

    def test_E010_or_E013_with_a_module_that_does_not_load(self):
        """Whatever it raises, or however the path is mutilated."""
        broken = mock.patch("durable_django.checks.settings.import_string", side_effect=RuntimeError("no network"))
        for path, patch, words in ((".", mock.MagicMock(), "ValueError"), ("a.b", broken, "RuntimeError: no network")):
            with self.subTest(path=path), patch:
                messages = found(ours.check_settings, STREAM_PERMISSION=path, REDACT="")
                self.assert_message(messages, "E010", words, hint="def may_read")
                messages = found(ours.check_settings, REDACT=path)
                self.assert_message(messages, "E013", words, hint="def redact")

    def test_E013_with_a_redaction_that_is_none(self):
        """It must be there, and callable; none at all shows everything."""
        for path in ("nowhere.redact", "redact", "tests.settings.SECRET_KEY"):
            messages = found(ours.check_settings, REDACT=path)
            self.assert_message(messages, "E013", path, hint="def redact(name, value)")

        for path in ("", "tests.rooms.checking.found"):
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

    def test_W016_of_a_follower_that_nobody_has(self):
        """A name that is misspelt: what was to clean up would wait for ever."""
        follower = Registered(func=checkout_too, given_name="shop.clean_up")
        for given, ids in (("shop.clean_upp", ["W016"]), ("shop.clean_up", []), (follower, [])):
            for argument in ("on_failure", "on_cancel"):
                leader = Registered(func=checkout, given_name="shop.checkout", **{argument: given})
                with self.subTest(given=given, argument=argument), declared(follower, leader):
                    messages = ours.check_followers()
                    self.assertEqual(ids, [message.id.removeprefix("durable_django.") for message in messages])
                    if ids:
                        self.assert_message(
                            messages, "W016", argument, "Did you mean 'shop.clean_up'?", hint="Correct the name"
                        )

    def test_of_this_suite_follow_what_is_there(self):
        """Silent."""
        self.assertEqual([], ours.check_followers())


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


class Whatever(TestCase):
    def test_the_settings_hold_no_check_raises(self):
        """Each key with each kind of junk: all checks answer, and their answers can be shown."""
        for key in [*defaults(), "NO_KEY", 5, None, ("a", 10**5000), "\0"]:
            for value in JUNK:
                with self.subTest(key=str(type(key)), value=str(type(value))):
                    self.assert_answers(DURABLE_DJANGO={key: value})

    def test_stands_instead_of_the_dict_no_check_raises(self):
        """A list, a class, a number."""
        for value in JUNK:
            with self.subTest(value=str(type(value))):
                self.assert_answers(DURABLE_DJANGO=value)

    def assert_answers(self, **settings):
        """Each check returns messages that can be written to a terminal."""
        # Reading all migrations and tables takes a while, and has nothing to do with the settings.
        nothing = mock.patch.multiple(tables, _unapplied=lambda _connection: [], _judge_indexes=lambda _connection: [])
        with override_settings(**settings), nothing:
            for check in own_checks():
                for message in check(app_configs=None, databases=["default"]):
                    self.assertIn("durable_django.", str(message))


def own_checks():
    """Return the registered checks of durable_django, those for deployment included."""
    registered = checks.registry.registry.get_checks(include_deployment_checks=True)
    return [check for check in registered if check.__module__.startswith("durable_django.")]


class ACorrectProject(TestCase):
    def test_hears_nothing(self):
        """Such as this suite: all checks are asked, of settings, database and deployment."""
        messages = checks.run_checks(databases=["default"], include_deployment_checks=True)
        self.assertEqual([], [each for each in messages if (each.id or "").startswith("durable_django.")])


class TheList(TestCase):
    def test_in_the_docstring_is_complete(self):
        """Each id that the code uses is described at the top, and tested here by name."""
        used = set(re.findall(r'id="durable_django\.([EW]\d{3})"', "".join(SOURCES.values())))
        described = set(re.findall(r"\b([EW]\d{3})\b", ours.__doc__))
        texts = [path.read_text() for path in Path(__file__).parent.glob("test_*checks.py")]
        tested = set(re.findall(r"def test_([EW]\d{3})_", "".join(texts)))

        self.assertEqual(used, described)
        self.assertEqual(used, tested)

    def test_names_the_file_of_each(self):
        """Under the name of its file, and nowhere else."""
        described, room = {}, ""
        for line in ours.__doc__.splitlines():
            room = found.group() if (found := re.match(r"\w+\.py", line)) else room
            described |= dict.fromkeys(re.findall(r"\b[EW]\d{3}\b", line), room)
        used = {
            number: path.name
            for path, source in SOURCES.items()
            for number in re.findall(r'id="durable_django\.([EW]\d{3})"', source)
        }
        self.assertEqual(used, described)

    def test_says_of_each_what_to_do(self):
        """No message without a hint."""
        sources = [*SOURCES.values(), inspect.getsource(ours_of_tasks)]
        calls = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        made = [call for call in calls if getattr(call.func, "id", "") in {"Error", "Warning"}]

        self.assertGreater(len(made), 30)
        self.assertEqual([], [ast.unparse(call) for call in made if "hint" not in {key.arg for key in call.keywords}])

    def test_is_run_by_manage_py_check(self):
        """Each check that the package offers is registered, and reports there."""
        registered = {check.__name__ for check in own_checks()}

        self.assertEqual({name for name in ours.__all__ if name.startswith("check_")}, registered)
        with override_settings(DURABLE_DJANGO={"THREADS": 0}):
            self.assertIn("durable_django.E003", [message.id for message in checks.run_checks()])

    def test_asks_no_database_but_where_it_is_told_to(self):
        """Those without the tag ask no query, and those with it none for another database."""
        with self.assertNumQueries(0):
            for check in own_checks():
                check(app_configs=None, databases=["another"] if checks.Tags.database in check.tags else None)

    def test_can_be_imported_before_the_apps_are_ready(self):
        """No model is imported too early."""
        code = (
            "import sys; import durable_django.checks; print([n for n in sys.modules if 'durable_django.models' in n])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

        self.assertEqual(("", "[]\n"), (done.stderr, done.stdout))
