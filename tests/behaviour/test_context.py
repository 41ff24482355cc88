"""The current workflow and step belong to their thread and their moment, and never leak."""

import threading

from django.db import connections
from django.test import TestCase, TransactionTestCase

from durable_django import current_step, current_workflow, step, workflow
from durable_django.base import registry
from durable_django.engine import attempts, context
from durable_django.engine.ownership import Ownership
from durable_django.models import Worker, Workflow
from durable_django.testing import crash_after, run_until_idle
from tests.behaviour.support import acting
from tests.sample.promises import acts, acts_itself


@step
def who_am_i(expected):
    return (current_workflow().id, current_step().name, expected)


@workflow
def knows_itself(expected):
    seen = [current_workflow().id]
    for _ in range(3):
        seen.append(who_am_i(expected)[0])
        seen.append(current_workflow().id)
    assert current_step() is None
    return seen


class ThereIsNoContext(TestCase):
    def assert_none(self):
        self.assertIsNone(current_workflow())
        self.assertIsNone(current_step())
        self.assertIsNone(context.current_run())

    def test_outside(self):
        """Both are None."""
        self.assert_none()

    def test_after_any_ending(self):
        """Success, failure, a crash and a KeyboardInterrupt leave nothing behind."""
        for definition in (acts, acts_itself):
            for error in (None, LookupError(), SystemExit(), KeyboardInterrupt()):

                def body(error=error):
                    if error:
                        raise error

                definition.start()
                with self.subTest(definition=definition.name, error=error), acting(body):
                    try:
                        run_until_idle()
                    except KeyboardInterrupt:
                        Workflow._base_manager.all().delete()
                    self.assert_none()
        acts.start()
        with crash_after(acts.registered.func.__globals__["act"]):
            run_until_idle()
        self.assert_none()

    def test_of_a_step_in_the_workflows_own_code(self):
        """current_step() is None again behind a step that raised."""

        def body():
            try:
                step(lambda: 1 / 0)()
            except ZeroDivisionError:
                return current_step() is None

        handle = acts_itself.start()
        with acting(body):
            run_until_idle()

        self.assertIs(True, handle.result())


class ManyWorkflowsInManyThreads(TransactionTestCase):
    def test_each_sees_itself(self):
        """Forty workflows on four threads: every one sees its own id at every step; G22."""
        handles = [knows_itself.using(id=f"w-{number}").start(number) for number in range(40)]
        Worker.objects.register("w", 3600, hostname="test", pid=0)
        found = Workflow.objects.claim("w", "default", 40, names=registry.workflows.names())
        errors = []

        def work(mine):
            try:
                for each in mine:
                    attempts.attempt(each, Ownership("w"), "default")
            except BaseException as error:
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=[found[number::4]]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        self.assertEqual([], errors)
        for handle in handles:
            self.assertEqual([handle.id] * 7, handle.refresh().result())
