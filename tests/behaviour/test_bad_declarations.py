"""Declarations that cannot work: refused at import, with the reason and the way out."""

import math
from functools import partial
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from durable_django import Queue, RegistrationError, Retry, UnknownQueue, run_step, step, workflow
from durable_django.base import registry
from durable_django.base.registry import WorkflowRegistry
from tests.sample import promises  # noqa: F401 - declares a queue


def generator():
    yield 1


async def async_generator():
    yield 1


async def coroutine():
    return 1


def plain(order):
    return order


class Service:
    def bound(self):
        return 1

    @classmethod
    def of_class(cls):
        return cls.__name__


class Callable:
    def __call__(self):
        return 1


def local():
    def inner():
        return 1

    return inner


class DeclarationTestCase(SimpleTestCase):
    databases = {"default"}

    def setUp(self):
        patched = mock.patch.object(registry, "workflows", WorkflowRegistry())
        patched.start()
        self.addCleanup(patched.stop)

    def assert_refused(self, act, *words):
        with self.assertRaises(RegistrationError) as caught:
            act()
        self.assertIsInstance(caught.exception, ImproperlyConfigured)
        for each in words:
            self.assertIn(each, str(caught.exception))


class WhatCannotBeAWorkflow(DeclarationTestCase):
    def test_is_refused_with_reason_and_way_out(self):
        """Generators, lambdas, local functions, methods, classes, partials, other callables; G25."""
        for func, *words in (
            (generator, "test_bad_declarations.generator", "no single result to record", "return a list"),
            (async_generator, "no single result to record"),
            (lambda: 1, "a lambda has no name", "Define it with def"),
            (local(), "local.<locals>.inner", "cannot be found after a restart", "top level of its module"),
            (Service.bound, "a method needs its instance", "primary key"),
            (Service().bound, "not a plain function"),
            (Service, "it is a class"),
            (partial(plain, 1), "a partial has no name"),
            (Callable(), "not a plain function"),
            (len, "not a plain function"),
            (5, "not a plain function"),
        ):
            with self.subTest(func=func):
                self.assert_refused(partial(workflow, func), "@workflow cannot be used on", *words)

    def test_is_not_registered(self):
        """What was refused leaves no name behind."""
        self.assert_refused(lambda: workflow(generator))

        self.assertEqual([], registry.workflows.names())


class WhatCannotBeAStep(DeclarationTestCase):
    def test_is_refused_with_reason_and_way_out(self):
        """Generators, classes, partials, other callables."""
        for func, *words in (
            (generator, "no single result to record", "return a list"),
            (async_generator, "no single result to record"),
            (Service, "it is a class"),
            (partial(plain, 1), "a partial has no name"),
            (Callable(), "not a plain function"),
            (Service().bound, "not a plain function"),
        ):
            with self.subTest(func=func):
                self.assert_refused(partial(step, func), "@step cannot be used on", *words)

    def test_may_be_local(self):
        """A step is found by its position: lambdas and local functions are fine."""
        self.assertEqual(1, step(local())())
        self.assertEqual(1, step(name="x")(lambda: 1)())


class Options(DeclarationTestCase):
    def test_of_workflows_are_checked_at_import(self):
        """Name, priority, timeout, max_recoveries and retry."""
        for options, error, words in (
            ({"name": ""}, RegistrationError, "1 to 255 printable characters, got ''"),
            ({"name": "x" * 256}, RegistrationError, "1 to 255 printable characters"),
            ({"name": "a\nb"}, RegistrationError, "printable"),
            ({"name": 5}, RegistrationError, "got 5"),
            ({"priority": 101}, ValueError, "priority must be a whole number from -100 to 100"),
            ({"priority": True}, ValueError, "priority"),
            ({"timeout": 0}, ValueError, "timeout must be between"),
            ({"timeout": math.nan}, ValueError, "timeout"),
            ({"timeout": "60"}, TypeError, "timeout must be a number of seconds or a timedelta"),
            ({"max_recoveries": -1}, RegistrationError, "max_recoveries=) must be a whole number from 0, got -1"),
            ({"max_recoveries": 1.5}, RegistrationError, "got 1.5"),
            ({"max_recoveries": True}, RegistrationError, "got True"),
            ({"retry": 3}, RegistrationError, "@workflow(retry=) must be a Retry, got 3. Write Retry(max_attempts=3)"),
        ):
            with self.subTest(options=options), self.assertRaisesMessage(error, words):
                workflow(**options)(plain)

    def test_of_steps_are_checked_at_import(self):
        """Name, timeout and retry; the same for run_step()."""
        for options, error, words in (
            ({"name": ""}, RegistrationError, "A step's name must have 1 to 255 printable characters"),
            ({"name": "x" * 256}, RegistrationError, "A step's name"),
            ({"timeout": -1}, ValueError, "timeout"),
            ({"timeout": True}, TypeError, "timeout"),
            ({"retry": (OSError,)}, RegistrationError, "@step(retry=) must be a Retry"),
        ):
            with self.subTest(options=options):
                with self.assertRaisesMessage(error, words):
                    step(**options)(plain)
                with self.assertRaisesMessage(error, words):
                    run_step(plain, 1, **options)

    def test_of_a_retry_are_checked_when_it_is_made(self):
        """Each argument is named with its bounds and the value."""
        for options, words in (
            ({"max_attempts": 0}, "Retry(max_attempts=) must be a whole number from 1, got 0"),
            ({"max_attempts": True}, "max_attempts"),
            ({"max_attempts": 2.0}, "max_attempts"),
            ({"base_seconds": -1}, "Retry(base_seconds=) must be a number from 0 to"),
            ({"base_seconds": math.inf}, "got inf"),
            ({"base_seconds": math.nan}, "got nan"),
            ({"base_seconds": 1e18}, "base_seconds"),
            ({"base_seconds": "1"}, "got '1'"),
            ({"factor": 0.5}, "Retry(factor=) must be a number from 1 to"),
            ({"max_seconds": -1}, "max_seconds"),
            ({"jitter": 1.1}, "Retry(jitter=) must be a number from 0 to 1, got 1.1"),
            ({"jitter": False}, "jitter"),
            ({"retry_on": (KeyboardInterrupt,)}, "retry_on=) must be a tuple of Exception classes"),
            ({"retry_on": ("OSError",)}, "retry_on"),
            ({"retry_on": None}, "retry_on"),
        ):
            with self.subTest(options=options):
                self.assert_refused(partial(Retry, **options), words)

    def test_of_queues_are_checked_when_they_are_declared(self):
        """Blank, too long, with control characters or no text at all."""
        for name in ("", "  ", "a\nb", "\0", "x" * 256, 5, None):
            with self.subTest(name=name):
                self.assert_refused(partial(Queue, name), "A queue's name must have 1 to 255", repr(name))


class AQueue(DeclarationTestCase):
    def test_that_nobody_declares_is_refused_at_the_start(self):
        """A decorator runs before all queues are declared: the check reports it, and no start gets past it."""
        definition = workflow(name="shop.checkout", queue="secnd")(plain)

        with self.assertRaisesMessage(UnknownQueue, "Did you mean 'second'?"):
            definition.start(1)


class Duplicates(DeclarationTestCase):
    def test_show_both_places(self):
        """Two functions of one name: the second cannot be started, and the check reports it."""
        workflow(name="shop.checkout")(plain)
        second = workflow(name="shop.checkout")(duplicate)

        with self.assertRaises(RegistrationError) as caught:
            second.start(1)
        for each in ("'shop.checkout'", f"{__file__}:{plain.__code__.co_firstlineno}", "@workflow(name='...')"):
            self.assertIn(each, str(caught.exception))
        self.assertIn(f"{__file__}:{duplicate.__code__.co_firstlineno}", str(caught.exception))
        self.assertEqual(1, len(registry.workflows.clashes()))

    def test_of_the_same_function_are_none(self):
        """A module that is loaded again declares it again."""
        workflow(name="shop.checkout")(plain)
        workflow(name="shop.checkout")(plain)

        self.assertEqual([], registry.workflows.clashes())


def duplicate(order):
    return order
