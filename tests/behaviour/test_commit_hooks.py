"""An on_commit() hook of an atomic step that fails, in whatever way: the step stands, and its body ran once."""

import sqlite3
from contextlib import contextmanager

import psycopg
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.test import TransactionTestCase

from durable_django import Retry, signals, step, workflow
from durable_django.models import Step
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, labels, row
from tests.sample.models import Mark, Unique
from tests.sample.promises import Here, acts_atomically


@step(atomic=True, retry=Retry(max_attempts=3, base_seconds=0, jitter=0))
def act_atomically_with_retry():
    return Here.act()


@workflow
def acts_atomically_with_retry():
    """One atomic step that is called again if it fails."""
    return act_atomically_with_retry()


def find_a_label_taken():
    """Break a constraint, as the step's own body or COMMIT could."""
    Unique.objects.create(label="twice")
    Unique.objects.create(label="twice")


def ask_for_what_is_not_there():
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")


def be_chosen_as_a_victim():
    """Fail as a statement whose transaction the database has rolled back so that others can go on."""
    if connection.vendor == "sqlite":
        driver = sqlite3.OperationalError("database is locked")
        driver.sqlite_errorcode = sqlite3.SQLITE_BUSY
    else:
        driver = psycopg.errors.DeadlockDetected("deadlock detected")
    raise OperationalError(str(driver)) from driver


def lose_the_connection():
    """Fail as a COMMIT does that gets no answer."""
    raise OperationalError("server closed the connection unexpectedly")


def fail_otherwise():
    raise LookupError("receiver")


#: What a hook does, and the error that is told of it.
FAILURES = (
    (find_a_label_taken, IntegrityError),
    (ask_for_what_is_not_there, DatabaseError),
    (be_chosen_as_a_victim, OperationalError),
    (fail_otherwise, LookupError),
)


@contextmanager
def hook_failures():
    """Fill the list with what is told of failed hooks."""
    told = []

    def hear(signal, sender, **facts):  # noqa: ARG001 - Django passes them
        told.append(facts)

    signals.step_hook_failed.connect(hear)
    try:
        yield told
    finally:
        signals.step_hook_failed.disconnect(hear)


class AHookThatFails(TransactionTestCase):
    def run_with_hook(self, hook, definition):
        """Return the handle, how often the body was called, and what was told of the hook."""
        calls = []

        def body():
            calls.append(1)
            Mark.objects.create(label="body")
            transaction.on_commit(hook)
            return "value"

        handle = definition.start()
        with acting(body), hook_failures() as told:
            run_until_idle()
        return handle, len(calls), told

    def assert_stands(self, hook, definition):
        """The step is recorded with its value, and ran once. Return what was told of the hook."""
        Mark.objects.all().delete()
        Unique.objects.all().delete()
        handle, calls, told = self.run_with_hook(hook, definition)
        self.assertEqual("value", handle.result(timeout=0))
        recorded = Step.objects.get(workflow=handle.id, name__startswith="act")
        self.assertEqual((1, 1, 0, None), (calls, labels().count("body"), recorded.retries, recorded.error))
        self.assertEqual(1, row(handle).attempt)
        return recorded, told

    def test_leaves_the_step_as_it_is(self):
        """Also if its error looks as if COMMIT had failed, and though the step has a retry= that would fit."""
        for definition in (acts_atomically, acts_atomically_with_retry):
            for hook, kind in FAILURES:
                with self.subTest(definition=definition.name, hook=hook.__name__):
                    recorded, told = self.assert_stands(hook, definition)

                    facts = [(each["workflow_id"], each["step"], each["position"]) for each in told]
                    self.assertEqual([(recorded.workflow_id, recorded.name, recorded.position)], facts)
                    self.assertIsInstance(told[0]["error"], kind)

    def test_by_the_loss_of_its_connection_leaves_the_step_as_it_is(self):
        """Nobody can tell whether it was COMMIT that got no answer: the checkpoint decides, no hook is blamed."""
        for definition in (acts_atomically, acts_atomically_with_retry):
            with self.subTest(definition=definition.name):
                _recorded, told = self.assert_stands(lose_the_connection, definition)

                self.assertEqual([], told)
