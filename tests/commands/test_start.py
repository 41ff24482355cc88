"""`manage.py durable start`: what it takes, what it answers, what it refuses."""

from django.core.management import CommandError
from django.test import TestCase

from durable_django.base import payloads
from durable_django.models import Workflow
from tests.commands.support import answer, durable, said


def arguments_of(workflow_id):
    return payloads.decode_call(Workflow.objects.get(pk=workflow_id).arguments)


class AStart(TestCase):
    def test_joins_args_and_kwargs(self):
        """Positional and keyword arguments in one call."""
        found = answer("start", "sample.two_marks", "--kwargs", '{"label": "ä"}')

        self.assertEqual((("ä",), {}), arguments_of(found["id"]))

    def test_takes_what_using_takes(self):
        """Queue, priority, delay, timeout and attributes."""
        durable(
            *("start", "sample.two_marks", "--args", '["w"]', "--id", "w1", "--queue", "default", "--priority", "7"),
            *("--delay", "90", "--timeout", "2h", "--attribute", "n=7", "--attribute", "s=x=y"),
        )

        row = Workflow.objects.get(pk="w1")
        self.assertEqual(("default", 7, 7200.0), (row.queue, row.priority, row.timeout_seconds))
        self.assertEqual({"n": 7, "s": "x=y"}, row.attributes)
        self.assertAlmostEqual(90, (row.run_after - row.created_at).total_seconds(), delta=1)

    def test_a_second_time_finds_the_first(self):
        """The same id and arguments: the answer is the same, and says so beside."""
        call = ("start", "sample.two_marks", "--args", '["w"]', "--id", "w1")

        first, second, third = said(*call), said(*call), answer(*call)

        self.assertEqual(("w1\n", ""), first)
        self.assertEqual("w1\n", second[0])
        self.assertIn("had been started before", second[1])
        self.assertEqual({"id": "w1", "status": "queued", "is_new": False}, third)

    def test_of_another_call_under_the_same_id_is_refused(self):
        """An id is an idempotency key."""
        durable("start", "sample.two_marks", "--args", '["w"]', "--id", "w1")

        with self.assertRaisesMessage(CommandError, "with other arguments"):
            durable("start", "sample.two_marks", "--args", '["x"]', "--id", "w1")


class WhatCannotBeStarted(TestCase):
    def test_is_refused_with_a_sentence(self):
        """Nothing is written."""
        for options, words in (
            (["--args", '"w"'], "expected a JSON array or object"),
            (["--args", "[NaN]"], "NaN is not JSON"),
            (["--args", "[" * 100_000], "expected JSON"),
            (["--kwargs", "[1]"], "expected a JSON object"),
            (["--args", "[1]", "--kwargs", '{"label": 2}'], "does not take these arguments"),
            (["--args", "[1]", "--id", "a\nb"], "control character"),
            (["--args", "[1]", "--id", ""], "not empty"),
            (["--args", "[1]", "--delay", "soon"], "got 'soon'"),
            (["--args", "[1]", "--priority", "high"], "invalid int value"),
            (["--args", "[1]", "--timeout", "0"], "timeout must be between"),
            (["--args", '["' + "x" * 2_000_000 + '"]'], "MAX_PAYLOAD_BYTES"),
        ):
            with self.assertRaises(CommandError, msg=options[:2]) as caught:
                durable("start", "sample.two_marks", *options)
            self.assertIn(words, str(caught.exception))
        self.assertEqual(0, Workflow.objects.count())
