"""base/registry.py: names of workflows and queues that the code declares, and nothing else."""

import threading

from django.test import SimpleTestCase, override_settings

from durable_django.base.limits import Limits
from durable_django.base.registry import QueueRegistry, Registered, WorkflowRegistry, nearest
from durable_django.exceptions import RegistrationError, UnknownQueue, UnknownWorkflow


def function_of(module, qualname="checkout"):
    """Return a function as if it stood in another module."""

    def func(order):
        return order

    func.__module__, func.__qualname__ = module, qualname
    return func


def registered(module, qualname="checkout", name=None):
    return Registered(func=function_of(module, qualname), given_name=name)


class AName(SimpleTestCase):
    def test_begins_with_the_label_of_the_app(self):
        """The app that contains the module, however deep; never the module itself, so files may move."""
        for module, name in (
            ("tests.sample.workflows", "sample.checkout"),
            ("tests.sample.deep.er.still", "sample.checkout"),
            ("example_project.shop.workflows", "shop.checkout"),
            ("django.contrib.auth.models", "auth.checkout"),
        ):
            with self.subTest(module=module):
                self.assertEqual(name, registered(module).name)

    def test_outside_of_apps_begins_with_the_package(self):
        """The top-level one."""
        self.assertEqual("elsewhere.checkout", registered("elsewhere.code.flows").name)
        self.assertEqual("script.checkout", registered("script").name)

    def test_of_a_method_has_its_class(self):
        """app_label.Class.method."""
        self.assertEqual("sample.Shop.checkout", registered("tests.sample.x", "Shop.checkout").name)

    def test_that_is_given_is_taken(self):
        """name= wins."""
        self.assertEqual("x", registered("tests.sample.x", name="x").name)


class TheWorkflows(SimpleTestCase):
    def setUp(self):
        self.registry = WorkflowRegistry()

    def test_are_found_by_name(self):
        """get(), knows() and names() agree."""
        one = registered("tests.sample.a")
        self.registry.add(one)

        self.assertIs(one, self.registry.get("sample.checkout"))
        self.assertTrue(self.registry.knows("sample.checkout"))
        self.assertEqual(["sample.checkout"], self.registry.names())

    def test_that_are_unknown_are_an_error(self):
        """With the nearest name, if one is near."""
        self.registry.add(registered("tests.sample.a"))

        with self.assertRaisesMessage(UnknownWorkflow, "Did you mean 'sample.checkout'?"):
            self.registry.get("sample.chekout")
        self.assertFalse(self.registry.knows("os.system"))

    def test_of_one_name_are_a_clash(self):
        """The first keeps the name, the second may not be started, the clash is kept for the check."""
        first, second = registered("tests.sample.a"), registered("tests.sample.b")
        self.registry.add(first)
        self.registry.add(second)

        self.assertIs(first, self.registry.get("sample.checkout"))
        self.assertEqual("sample.checkout", self.registry.settle_name_of(first))
        with self.assertRaisesMessage(RegistrationError, "Two workflows are named 'sample.checkout'"):
            self.registry.settle_name_of(second)
        self.assertEqual(1, len(self.registry.clashes()))

    def test_that_are_declared_again_take_the_place(self):
        """A reloaded module: the newer function is run, both names hold."""
        old, new = registered("tests.sample.a"), registered("tests.sample.a")
        self.registry.add(old)
        self.registry.names()
        self.registry.add(new)

        self.assertIs(new, self.registry.get("sample.checkout"))
        self.assertEqual("sample.checkout", self.registry.settle_name_of(old))
        self.assertEqual([], self.registry.clashes())

    def test_may_be_declared_while_others_are_looked_up(self):
        """Imports in one thread, look-ups in another."""
        errors = []

        def look():
            try:
                for _ in range(300):
                    self.registry.names()
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(300):
            self.registry.add(registered("tests.sample.a", f"f{number}"))
        for thread in threads:
            thread.join()

        self.assertEqual(([], 300), (errors, len(self.registry.names())))


class TheQueues(SimpleTestCase):
    def setUp(self):
        self.registry = QueueRegistry()

    def test_hold_the_default_one(self):
        """DEFAULT_QUEUE needs no declaration, whatever it is called."""
        self.assertEqual(["default"], self.registry.names())
        with override_settings(DURABLE_DJANGO={"DEFAULT_QUEUE": "main"}):
            self.assertEqual("main", self.registry.require("main"))

    def test_may_be_declared_twice(self):
        """By two modules that both use them, in the same way."""
        self.registry.add("emails", Limits(concurrency=3))
        self.registry.add("emails", Limits(concurrency=3))

        self.assertEqual(["default", "emails"], self.registry.names())
        self.assertEqual(Limits(concurrency=3), self.registry.limits_of("emails"))

    def test_are_not_declared_in_two_ways(self):
        """Which limits should count?"""
        self.registry.add("emails", Limits(concurrency=3))

        with self.assertRaisesMessage(RegistrationError, "Queue 'emails' is declared twice"):
            self.registry.add("emails", Limits())

    def test_that_are_unknown_are_an_error(self):
        """With the nearest name and how to declare it."""
        self.registry.add("emails", Limits())

        with self.assertRaises(UnknownQueue) as caught:
            self.registry.require("email")
        self.assertEqual(
            "Queue 'email' is not declared. Did you mean 'emails'? Declare it in a workflows.py: Queue('email').",
            str(caught.exception),
        )


class Nearest(SimpleTestCase):
    def test_is_nothing_where_nothing_is_near(self):
        """Also for names that are no text."""
        self.assertEqual("", nearest("zzz", ["default"]))
        self.assertEqual("", nearest(5, ["default"]))
        self.assertEqual(" Did you mean 'default'?", nearest("defualt", ["default", "other"]))
