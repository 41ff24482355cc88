"""manage.py durable send: a message from the terminal to a workflow that waits for it."""

from django.core.management import CommandError
from django.test import TestCase

from durable_django.models import Message
from durable_django.testing import run_until_idle
from tests.behaviour.support import mailbox, waiting
from tests.commands.support import answer, durable
from tests.sample.talking import receives
from tests.sample.workflows import two_marks


class AMessage(TestCase):
    def test_is_received(self):
        """The value is JSON, or else text."""
        for given, value in (
            ("approved", "approved"),
            ('"7"', "7"),
            ("7", 7),
            ("true", True),
            ('{"by": "Ann", "items": [1, 2]}', {"by": "Ann", "items": [1, 2]}),
            ("{not json", "{not json"),
            ("NaN", "NaN"),
            ('""', ""),
        ):
            handle = waiting(receives)
            text = durable("send", handle.id, given)
            run_until_idle()

            with self.subTest(given=given):
                self.assertEqual(f"Sent to {handle.id}.\n", text)
                self.assertEqual(value, handle.result())

    def test_may_have_a_topic(self):
        """Nobody else receives it."""
        handle = waiting(receives, "approval")
        first = durable("send", handle.id, "no")
        second = answer("send", handle.id, "yes", "--topic", "approval")
        run_until_idle()

        self.assertEqual(f"Sent to {handle.id}.\n", first)
        self.assertEqual({"id": handle.id, "topic": "approval"}, second)
        self.assertEqual("yes", handle.result())

    def test_may_have_a_key(self):
        """A second one with it is dropped."""
        handle = two_marks.start("w")
        for _time in range(2):
            durable("send", handle.id, "paid", "--key", "webhook-7")

        self.assertEqual(["paid"], mailbox(handle))


class NobodyThere(TestCase):
    def test_is_told(self):
        """An unknown id, with those that begin like it; a workflow that has ended."""
        two_marks.using(id="order-7").start("w")
        run_until_idle()

        with self.assertRaisesMessage(CommandError, "There is no workflow order. Did you mean order-7?"):
            durable("send", "order", "x")
        with self.assertRaisesMessage(CommandError, "Workflow 'order-7' has already ended (succeeded)."):
            durable("send", "order-7", "x")
        self.assertFalse(Message.objects.exists())

    def test_is_no_value(self):
        """An empty one comes from a variable that is not set."""
        with self.assertRaisesMessage(CommandError, "expected text in UTF-8, not empty"):
            durable("send", "order-7", "")
