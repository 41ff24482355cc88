"""`manage.py durable show`: facts, timeline and outcome of one workflow, whatever its rows hold."""

import json

from django.core.management import CommandError
from django.test import TestCase

from durable_django.base import payloads
from durable_django.models import Queue, Step, Workflow
from durable_django.testing import crash_after, run_until_idle
from tests.behaviour.retaining import sweep
from tests.commands.support import answer, durable
from tests.sample.models import Mark
from tests.sample.workflows import Flaky, mark_atomically, retried, two_marks


def failed(workflow_id, error):
    two_marks.using(id=workflow_id).start("w")
    run_until_idle()
    Workflow.objects.filter(pk=workflow_id).update(
        status="failed", output=None, error=payloads.encode_error(error), finished_at="2026-01-01T00:00:00Z"
    )


def raised(error):
    """Give the error a traceback."""
    try:
        raise error
    except ValueError:
        return error


class TheTimeline(TestCase):
    def test_tells_what_happened_in_the_order_of_time(self):
        """Created, claimed, each step, ended."""
        two_marks.using(id="w1").start("w")
        run_until_idle()

        text = durable("show", "w1")

        places = [text.index(f" {word}") for word in ("created", "claimed", "mark_atomically ", "mark ", "ended")]
        self.assertEqual(sorted(places), places)

    def test_tells_in_which_attempt_each_step_ran(self):
        """A workflow that lost its worker was claimed twice."""
        two_marks.using(id="w1").start("w")
        with crash_after(mark_atomically):
            run_until_idle()
        run_until_idle()

        text = durable("show", "w1")
        steps = answer("show", "w1")["steps"]

        self.assertIn("claimed for the first time", text)
        self.assertEqual([1, 2], [step["attempt"] for step in steps])

    def test_shows_the_last_steps_of_many(self):
        """--steps says how many; the others are counted."""
        two_marks.using(id="w1").start("w")
        Step.objects.bulk_create(
            Step(workflow_id="w1", position=position, name=f"step_{position}", attempt=1) for position in range(1, 151)
        )

        for arguments, names, left_out in (
            ([], [f"step_{position}" for position in range(51, 151)], 50),
            (["--steps", "2"], ["step_149", "step_150"], 148),
            (["--steps", "0"], [f"step_{position}" for position in range(1, 151)], 0),
        ):
            found = answer("show", "w1", *arguments)
            self.assertEqual((names, left_out), ([step["name"] for step in found["steps"]], found["steps_left_out"]))
        self.assertIn("(148 earlier steps: see --steps)", durable("show", "w1", "--steps", "2"))

    def test_costs_a_fixed_number_of_queries(self):
        """The row and its steps: however many there are, whatever they hold."""
        mark = Mark.objects.create(label="x")
        two_marks.using(id="w1").start(mark)
        run_until_idle()

        with self.assertNumQueries(2):
            durable("show", "w1")


class TheReason(TestCase):
    def test_is_a_paused_queue(self):
        """A queued workflow whose queue is paused says so."""
        Queue.objects.ensure("default")
        Queue.objects.pause()
        two_marks.using(id="w1").start("w")

        self.assertIn("queued (queue 'default' is paused)", durable("show", "w1"))

    def test_is_a_moment_to_come(self):
        """With the moment."""
        two_marks.using(id="w1", delay=3600).start("w")

        text = durable("show", "w1")

        self.assertIn("queued (is not due before ", text)
        self.assertRegex(text, r"due +20\d\d-")

    def test_is_missing_code(self):
        """A workflow that no worker knew is waiting for one that does."""
        two_marks.using(id="w1").start("w")
        Workflow.objects.update(name="shop.gone", waiting_for="code")

        self.assertIn("no live worker knows 'shop.gone'", durable("show", "w1"))

    def test_is_what_an_operator_said(self):
        """The reason of a pause or a cancellation."""
        two_marks.using(id="w1").start("w")
        durable("pause", "w1", "--reason", "audit")

        self.assertIn("paused (audit)", durable("show", "w1"))
        self.assertEqual("audit", answer("show", "w1")["situation"])

    def test_is_a_retry_to_come(self):
        """With the time that is left, and the last error."""
        Flaky.failures = 1
        retried.using(id="w1").start("w")
        run_until_idle()

        text = durable("show", "w1")

        self.assertRegex(
            text, r"waiting \(retry 1 of step 'flaky' in \d.* s, last error: ConnectionError: the provider"
        )
        self.assertRegex(text, r"again in \d.*, after ConnectionError: the provider does not answer")


class TheOutcome(TestCase):
    def test_of_a_failure_comes_with_its_traceback(self):
        """Where it was raised is what one needs at night."""
        failed("w1", raised(ValueError("no\x1b[31m such\ncard")))

        text = durable("show", "w1")

        self.assertIn("failed: ValueError: no\\x1b[31m such\\ncard", text)
        self.assertIn("\nTraceback (most recent call last):\n", text)
        self.assertNotIn("\x1b", text)

    def test_is_json_for_programs(self):
        """Plain values as they are, others with their type; an error with its parts."""
        two_marks.using(id="w1").start("w")
        run_until_idle()
        Workflow.objects.update(output=payloads.encode({"sizes": (1, 2)}))

        found = answer("show", "w1")

        self.assertEqual({"args": ["w"], "kwargs": {}}, found["arguments"])
        self.assertEqual({"sizes": {"$py": "tuple", "v": [1, 2]}}, found["result"])
        self.assertIsNone(found["error"])
        failed("w2", KeyError("x"))
        self.assertEqual("builtins:KeyError", answer("show", "w2")["error"]["type"])


class ABareRow(TestCase):
    def test_says_that_the_rest_is_gone(self):
        """Neither arguments nor a result, and why; for programs as for people."""
        two_marks.using(id="w1").start("w")
        run_until_idle()
        sweep(days=31)

        text, found = durable("show", "w1"), answer("show", "w1")

        self.assertIn("w1  sample.two_marks\n", text)
        self.assertIn("succeeded (its retention is over: arguments, steps and outcome are gone)", text)
        self.assertNotIn("result", text)
        self.assertEqual((None, None, []), (found["arguments"], found["result"], found["steps"]))


class WhateverARowHolds(TestCase):
    def setUp(self):
        two_marks.using(id="w1").start("w")
        run_until_idle()

    def test_it_can_be_shown(self):
        """Damaged, too deep, of an unknown kind, beyond JSON: each says why it cannot be read."""
        deep = "[" * 5000 + "]" * 5000
        for stored in ("{", "", deep, '{"$py": "unheard", "v": 1}', '{"$py": "enum", "v": 7}', "1e999", "[]"):
            Workflow.objects.update(arguments=stored, output=stored, error=stored)
            Step.objects.update(output=stored, error=stored)
            self.assertIn("w1  sample.two_marks", durable("show", "w1"))
            json.loads(durable("show", "w1", "--json"), parse_constant=self.fail)

    def test_large_payloads_are_not_read(self):
        """Only their beginning and their length; the next workflow waits for its turn."""
        large = payloads.encode("x" * 500_000)
        Workflow.objects.update(output=large)
        Step.objects.update(output=large)

        text, found = durable("show", "w1"), answer("show", "w1")

        self.assertLess(len(text), 5000)
        self.assertIn("(500002 characters, too many to be shown)", text)
        self.assertEqual({"unreadable": "500002 characters, too many to be shown"}, found["result"])

    def test_nothing_controls_the_terminal(self):
        """Control characters stand escaped in every column."""
        bad = "\x1b]0;owned\x07\u202e"
        Workflow.objects.update(
            name=bad, queue=bad, reason=bad, started_by=bad, worker=bad, attributes={"key": "\x1b[2J"}
        )
        Step.objects.update(name=bad, error=payloads.encode_error(ValueError(bad)))

        for text in (durable("show", "w1"), durable("list"), durable("show", "w1", "--json")):
            self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f\u202e]")


class AnIdThatNobodyHas(TestCase):
    def test_is_told_with_those_that_begin_like_it(self):
        """Half an id is the commonest slip."""
        two_marks.using(id="order-1234").start("w")

        with self.assertRaisesMessage(CommandError, "There is no workflow order-12. Did you mean order-1234?"):
            durable("show", "order-12")


class Secrets(TestCase):
    CANARY = "hunter2-canary"

    def test_are_shown_nowhere(self):
        """In arguments given by name or place, results, errors, attributes; to people and to programs."""
        two_marks.using(id="w1", attributes={"api_key": self.CANARY}).start(label={"password": self.CANARY})
        run_until_idle()
        stored = payloads.encode({"token": [self.CANARY]})
        error = payloads.encode_error(raised(ValueError(f"password={self.CANARY}")))
        Workflow.objects.update(output=stored, error=error, status="failed")
        Step.objects.filter(position=1).update(output=stored)
        Step.objects.filter(position=2).update(error=error)

        for text in (durable("show", "w1"), durable("show", "w1", "--json")):
            self.assertNotIn(self.CANARY, text)
            self.assertIn("[hidden]", text)

    def test_are_shown_if_the_project_says_so(self):
        """An empty REDACT hides nothing."""
        two_marks.using(id="w1").start({"password": self.CANARY})

        with self.settings(DURABLE_DJANGO={"REDACT": ""}):
            self.assertIn(self.CANARY, durable("show", "w1"))
