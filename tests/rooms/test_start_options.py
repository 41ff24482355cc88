"""api/options.py: the options of using(), checked one by one; what is not given stays."""

from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.test import SimpleTestCase

from durable_django.api.options import start_options
from durable_django.engine.starting import StartOptions


class Options(SimpleTestCase):
    def test_that_are_not_given_stay(self):
        """None leaves an option as it was; zero and empty are values."""
        before = start_options(StartOptions(), id="a", priority=5, attributes={"x": 1}, timeout=60)

        same = start_options(before, id=None, priority=None, attributes=None)
        changed = start_options(before, priority=0, attributes={})

        self.assertEqual(before, same)
        self.assertEqual(
            (0, {}, "a", 60.0), (changed.priority, changed.attributes, changed.id, changed.timeout_seconds)
        )

    def test_cannot_be_changed(self):
        """They are a value."""
        with self.assertRaises(AttributeError):
            StartOptions().id = "x"

    def test_of_a_user_is_the_key(self):
        """Of a user, of an anonymous one, of nobody; keys of any type as text."""
        for user, key in (
            (User(pk=7), "7"),
            (AnonymousUser(), ""),
            (7, "7"),
            ("ann", "ann"),
            (UUID(int=1), str(UUID(int=1))),
        ):
            with self.subTest(user=user):
                self.assertEqual(key, start_options(StartOptions(), user=user).started_by)

    def test_that_are_misspelt_cannot_be_given(self):
        """Each option has a check, and no other word is taken."""
        with self.assertRaises(KeyError):
            start_options(StartOptions(), prio=5)
