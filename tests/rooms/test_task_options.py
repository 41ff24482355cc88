"""tasks/options.py, tasks/checking.py, tasks/definitions.py: what tasks and backends may say, and what is refused."""

import subprocess
import sys

from django.core import checks
from django.test import SimpleTestCase, override_settings

from durable_django import RegistrationError, Retry
from durable_django import tasks as face
from durable_django.tasks import DurableTask, backend, checking, task_options
from durable_django.tasks.options import DEFAULTS, policy_of
from durable_django.tasks.sources import InvalidTask, task_backends
from durable_django.tasks.testing import DummyBackend, ImmediateBackend
from tests.sample import tasks

BACKEND = "durable_django.tasks.DurableBackend"
BAD = {
    "max_attempts": (0, -1, 1.5, "3", True),
    "backoff": (-1, "x", float("nan")),
    "retry_on": (5, (int,), "OSError"),
    "timeout": (0, -1, "x"),
    "atomic": (1, "yes"),
}


def function():
    """Do nothing."""


def made(task_class=DurableTask, **options):
    """Return a task; in Django 6.0 a task has no defaults."""
    return task_class(priority=0, backend="default", queue_name="default", run_after=None, **options)


def messages(**params):
    """Return what the check says of a backend."""
    return list(checking.messages("default", {"BACKEND": BACKEND, **params}, is_installed=True))


class TheOptions(SimpleTestCase):
    def test_of_a_task_that_says_nothing(self):
        """One attempt, no timeout, not atomic."""
        policy = policy_of(tasks.add, {})

        self.assertEqual((1, None, False), (policy.retry.max_attempts, policy.timeout_seconds, policy.is_atomic))

    def test_of_the_task_win_over_those_of_the_backend(self):
        """First @task, then task_options(), then OPTIONS, then the default."""
        task = made(func=task_options(max_attempts=2, timeout=5)(lambda_like()), max_attempts=4)
        policy = policy_of(task, {"max_attempts": 9, "timeout": 9, "atomic": True})

        self.assertEqual((4, 5, True), (policy.retry.max_attempts, policy.timeout_seconds, policy.is_atomic))

    def test_give_pauses_that_grow(self):
        """Seconds before the second call, doubled with each further one, as Retry does it."""
        policy = policy_of(tasks.retried, {})

        self.assertEqual(Retry(max_attempts=3, base_seconds=100, retry_on=(ConnectionError,)), policy.retry)
        self.assertIsNone(policy.delay_after(3, ConnectionError(), None))

    def test_take_a_callable_that_decides(self):
        """It is given the error and the result; what it returns must be a duration, or None."""
        policy = policy_of(tasks.add, {"max_attempts": 5, "backoff": lambda error, _result: error.args[0]})

        self.assertEqual(7, policy.delay_after(1, ValueError(7), None))
        self.assertIsNone(policy.delay_after(1, ValueError(None), None))
        with self.assertRaises(TypeError):
            policy.delay_after(1, ValueError("soon"), None)

    def test_are_refused_if_they_cannot_be(self):
        """By task_options() and by the task, naming option and value."""
        for name, values in BAD.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    with self.assertRaisesMessage(RegistrationError, name):
                        task_options(**{name: value})
                    with self.assertRaisesMessage(InvalidTask, name):
                        made(func=function, **{name: value})

    def test_stay_with_a_copy(self):
        """using() keeps them."""
        task = made(func=function, max_attempts=4, timeout=9).using(priority=5)

        self.assertEqual((4, 9, 5), (task.max_attempts, task.timeout, task.priority))


class TheChecks(SimpleTestCase):
    def assert_message(self, found, id_, *words):
        self.assertEqual([f"durable_django.{id_}"], [message.id for message in found])
        for each in words:
            self.assertIn(each, f"{found[0].msg} {found[0].hint}")

    def test_of_settings_that_are_fine_say_nothing(self):
        """Every option with its default, any queue."""
        self.assertEqual([], messages(OPTIONS=DEFAULTS, QUEUES=[]))
        self.assertEqual([], messages(OPTIONS={"max_attempts": 5, "backoff": 2.5, "timeout": 60, "atomic": True}))

    def test_E101_without_the_app(self):
        """The backend needs the tables."""
        found = list(checking.messages("default", {}, is_installed=False))
        self.assert_message(found, "E101", "TASKS['default']", "INSTALLED_APPS")

    def test_E102_with_an_unknown_option(self):
        """The hint names the nearest."""
        self.assert_message(
            messages(OPTIONS={"max_attempt": 5}), "E102", "'max_attempt'", "Did you mean 'max_attempts'?"
        )

    def test_E103_with_a_value_that_cannot_be(self):
        """Option and value are named; queues are a list of names."""
        for name, values in BAD.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    self.assert_message(messages(OPTIONS={name: value}), "E103", name, repr(value))
        for queues in ("default", [""], ["a\nb"], [5]):
            with self.subTest(queues=queues):
                self.assert_message(messages(QUEUES=queues), "E103", "list of names")
        self.assert_message(messages(OPTIONS=[]), "E103", "must be a dict")

    def test_W101_with_an_option_of_earlier_days(self):
        """ENQUEUE_ON_COMMIT was one of django-tasks; the hint says what to do instead."""
        self.assert_message(messages(ENQUEUE_ON_COMMIT=True), "W101", "enqueue_on_commit()")
        self.assert_message(messages(OPTIONS={"ENQUEUE_ON_COMMIT": False}), "W101", "enqueue_on_commit()")

    def test_are_those_of_djangos_own_check(self):
        """`manage.py check` finds them; no bad option raises before."""
        settings = {"default": {"BACKEND": BACKEND, "OPTIONS": {"max_attempts": 0}}}
        with override_settings(TASKS=settings):
            found = [message.id for message in checks.run_checks()]

        self.assertIn("durable_django.E103", found)


class ThePackage(SimpleTestCase):
    def test_finds_its_names_on_first_use(self):
        """Others look into every app for a module `tasks`: importing it needs nothing."""
        self.assertEqual({*face.__all__, "is_available"}, set(dir(face)))
        for name in face.__all__:
            self.assertTrue(getattr(face, name).__doc__, name)
        with self.assertRaises(AttributeError):
            face.nothing  # noqa: B018 - reading it raises

    def test_needs_no_models(self):
        """`@task` makes a backend while apps are still loading."""
        code = (
            "import django.conf; django.conf.settings.configure("
            f"TASKS={{'default': {{'BACKEND': '{BACKEND}', 'OPTIONS': {{'max_attempts': 0}}}}}});"
            "from durable_django.tasks.sources import task_backends;"
            "print(task_backends['default'].task_class.__name__)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

        self.assertEqual("DurableTask\n", done.stdout, done.stderr)

    def test_can_be_told_from_other_backends(self):
        """All that django.tasks asks a backend for is there."""
        ours = task_backends["default"]

        self.assertIsInstance(ours, backend.DurableBackend)
        self.assertTrue(
            ours.supports_defer and ours.supports_async_task and ours.supports_get_result and ours.supports_priority
        )


class TheDoubles(SimpleTestCase):
    def test_take_the_options_of_tasks(self):
        """With Django's own classes, a task with options could not be made."""
        for kind in (DummyBackend, ImmediateBackend):
            path = f"{kind.__module__}.{kind.__qualname__}"
            with self.subTest(kind=kind), override_settings(TASKS={"default": {"BACKEND": path}}):
                task = made(task_backends["default"].task_class, func=tasks.add.func, max_attempts=5)
                self.assertEqual([1], task.enqueue(1).args)


def lambda_like():
    """Return a function of its own that looks like one of a module."""

    def copy():
        """Do nothing."""

    copy.__qualname__ = "copy"
    return copy
