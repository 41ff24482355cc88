"""api/declaring.py: which names and which functions can be declared."""

from django.test import SimpleTestCase, TestCase
from hypothesis import given
from hypothesis import strategies as st

from durable_django import RegistrationError, workflow
from durable_django.api.declaring import is_name, unwrap
from durable_django.models import Workflow
from durable_django.models.step import Step
from durable_django.testing import run_until_idle
from tests.behaviour.support import row


class AName(SimpleTestCase):
    @given(st.text(st.characters(codec=None, categories=None), max_size=300))
    def test_is_printable_and_fits_its_column(self, text):
        """One to 255 printable characters, not all blank."""
        self.assertEqual(bool(text.strip()) and text.isprintable() and len(text) <= 255, is_name(text))

    def test_is_a_text(self):
        """Nothing else."""
        for value in (None, 5, b"x", ["x"]):
            self.assertFalse(is_name(value))

    def test_is_as_long_as_its_columns(self):
        """Workflows, steps and queues."""
        lengths = {Workflow._meta.get_field(name).max_length for name in ("name", "queue")}

        self.assertEqual({255}, lengths | {Step._meta.get_field("name").max_length})


class Desk:
    """Static and class methods can be workflows."""

    greeting = "hello"

    @workflow
    @staticmethod
    def open_desk(guest):
        return f"open for {guest}"

    @workflow
    @classmethod
    def greet(cls, guest, *, loudly=False):
        return f"{cls.greeting} {guest}{'!' if loudly else ''}"

    @staticmethod
    @workflow
    def close_desk(hour):
        return f"closed at {hour}"


class AMethod(TestCase):
    def test_that_is_static_or_of_the_class_can_be_a_workflow(self):
        """Its name has the class, its arguments are those without it."""
        handles = [Desk.open_desk.start("Ann"), Desk.greet.start("Bob", loudly=True), Desk.close_desk.start(18)]

        run_until_idle()

        self.assertEqual(
            ["open for Ann", "hello Bob!", "closed at 18"], [handle.refresh().result() for handle in handles]
        )
        self.assertEqual("tests.Desk.greet", row(handles[1]).name)

    def test_of_the_class_checks_its_arguments(self):
        """As any function."""
        with self.assertRaisesMessage(TypeError, "missing a required argument: 'guest'"):
            Desk.greet.start()

    def test_of_an_instance_cannot(self):
        """The instance is not stored."""
        with self.assertRaisesMessage(RegistrationError, "primary key"):
            type("Shop", (), {"checkout": workflow(bound)})


def bound(self):
    return self


bound.__qualname__ = "Shop.checkout"


class Unwrapping(SimpleTestCase):
    def test_gives_the_plain_function(self):
        """And says what it was wrapped in."""
        for wrapped, kind in ((bound, None), (staticmethod(bound), staticmethod), (classmethod(bound), classmethod)):
            self.assertEqual((bound, kind), unwrap(wrapped))
