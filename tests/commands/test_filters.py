"""Which workflows `manage.py durable` is about: every filter, what it refuses, what it costs."""

from django.core.management import CommandError
from django.db import connection
from django.test import TestCase

from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.commands.support import answer, durable, listed, said
from tests.sample.workflows import retried, two_marks


class EachFilter(TestCase):
    def setUp(self):
        two_marks.using(id="order-1", attributes={"tenant": "a", "n": 1, "exact": True, "a.b": "x"}).start("w")
        run_until_idle()
        two_marks.using(id="order-2", attributes={"tenant": "7"}).start("w")
        retried.using(id="Order-3", attributes={"tenant": 7, "none": None}).start("w")
        Workflow.objects.filter(pk="order-2").update(created_at="2020-02-29T12:00:00Z", queue="slow")

    def test_status(self):
        """Several are alternatives."""
        self.assertEqual(["order-1"], listed("--status", "succeeded"))
        self.assertCountEqual(["order-1", "order-2", "Order-3"], listed("--status", "succeeded", "--status", "queued"))

    def test_name(self):
        """Several are alternatives."""
        self.assertEqual(["Order-3"], listed("--name", "sample.retried"))
        self.assertEqual(3, len(listed("--name", "sample.retried", "--name", "sample.two_marks")))

    def test_queue(self):
        """Any that rows name, declared or not."""
        self.assertEqual(["order-2"], listed("--queue", "slow"))

    def test_beginning_of_the_id(self):
        """Letter by letter: LIKE would ignore case on SQLite, and take % for anything."""
        self.assertCountEqual(["order-1", "order-2"], listed("--id-prefix", "order-"))
        self.assertEqual([], listed("--id-prefix", "order-%"))

    def test_age(self):
        """A duration counts back from now by the database's clock."""
        self.assertEqual(["order-2"], listed("--older-than", "7d"))
        self.assertCountEqual(["order-1", "Order-3"], listed("--since", "2h"))
        self.assertEqual(["order-2"], listed("--until", "30m"))

    def test_moments(self):
        """A date, or a date and time in the project's zone."""
        self.assertEqual(["order-2"], listed("--since", "2020-02-29", "--until", "2020-03-01"))
        self.assertEqual(["order-2"], listed("--until", "2020-02-29T13:00:00"))
        self.assertEqual([], listed("--until", "2020-02-29T12:59:59"))

    def test_attributes(self):
        """As JSON or as text, several must all hold; a key is never taken for a lookup."""
        for filters, found in (
            (["tenant=a"], ["order-1"]),
            (["tenant=a", "n=1"], ["order-1"]),
            (["tenant=a", "n=2"], []),
            (["exact=true"], ["order-1"]),
            (["a.b=x"], ["order-1"]),
            (["none=null"], ["Order-3"]),
            (["tenant__isnull=false"], []),
        ):
            options = [part for each in filters for part in ("--attribute", each)]
            self.assertEqual(found, listed(*options), filters)
        self.assertCountEqual(["order-2", "Order-3"], listed("--attribute", "tenant=7"))

    def test_together(self):
        """All must hold."""
        self.assertEqual(["order-2"], listed("--queue", "slow", "--status", "queued", "--older-than", "1w"))
        self.assertEqual([], listed("--queue", "slow", "--status", "succeeded"))


class WhatCannotBeAFilter(TestCase):
    def test_is_refused_at_the_prompt(self):
        """With what was expected, and what was given."""
        for arguments, words in (
            (["--status", "done"], "invalid choice: 'done'"),
            (["--since", "yesterday"], "expected a duration such as 2h, or a date or time"),
            (["--since", "2026-13-01"], "got '2026-13-01'"),
            (["--older-than", "5"], "got '5'"),
            (["--older-than", "-5m"], "expected one argument"),
            (["--older-than", "9999999999d"], "from"),
            (["--limit", "0"], "expected a whole number from 1, got '0'"),
            (["--attribute", "tenant"], "expected KEY=VALUE"),
            (["--attribute", "=7"], "expected KEY=VALUE"),
            (["--attribute", "7=7"], "a key that is not a number"),
            (["--attribute", "a=1e999"], "a value that the database can hold"),
            (["--attribute", "a=[-1e999]"], "a value that the database can hold"),
            (["--attribute", r'a="\ud800"'], "a value that the database can hold"),
            (["--attribute", r'a={"b": ["\u0000"]}'], "a value that the database can hold"),
            (["--name", "a\0b"], "expected text in UTF-8"),
            (["--queue", "\udcff"], "expected text in UTF-8"),
        ):
            with self.assertRaises(CommandError, msg=arguments) as caught:
                durable("list", *arguments)
            if words != "from":
                self.assertIn(words, str(caught.exception))

    def test_is_an_empty_text(self):
        """What a shell makes of a variable that is not set would fit every workflow."""
        two_marks.start("w")

        for option in ("--id-prefix", "--name", "--queue"):
            with self.assertRaisesMessage(CommandError, "not empty"):
                durable("cancel", option, "", "--yes")

        self.assertEqual(1, Workflow.objects.queued().count())


class WhenNothingFits(TestCase):
    def test_the_nearest_name_is_told(self):
        """A name that no code knows is probably a slip."""
        text = durable("list", "--name", "sample.two_mark", "--queue", "defaul")

        self.assertIn("No workflow fits.", text)
        self.assertIn("Did you mean 'sample.two_marks'?", text)
        self.assertIn("Did you mean 'default'?", text)

    def test_programs_get_an_empty_array(self):
        """And nothing else."""
        self.assertEqual([], answer("list", "--name", "nobody"))


class TheList(TestCase):
    def test_shows_equal_moments_in_one_order(self):
        """Rows of one statement share their moment; the id decides then."""
        two_marks.start_many([("w",)] * 5)
        Workflow.objects.update(created_at="2026-01-01T00:00:00Z")

        self.assertEqual(sorted(listed(), reverse=True), listed())

    def test_says_when_there_are_more(self):
        """Beside the list, not in it."""
        two_marks.start_many([("w",)] * 3)

        out, err = said("list", "--limit", "2")
        everything = said("list", "--limit", "3")

        self.assertEqual(3, len(out.splitlines()))
        self.assertIn("Only the newest 2 are shown", err)
        self.assertEqual("", everything[1])

    def test_shows_ids_in_full(self):
        """They are there to be copied."""
        two_marks.using(id="x" * 255).start("w")

        self.assertIn("x" * 255, durable("list"))

    def test_aligns_wide_characters(self):
        """Each column begins at the same place, however wide a terminal draws the letters."""
        two_marks.using(id="訂單").start("w")
        two_marks.using(id="abcd").start("w")

        lines = durable("list").splitlines()

        self.assertEqual({"  sample.two_marks"}, {line[line.index("  sample") :][:18] for line in lines[1:]})
        self.assertEqual({2, 4}, {line.index("  sample") for line in lines[1:]})

    def test_gives_programs_moments_in_iso_form(self):
        """With their zone, and the duration in seconds."""
        two_marks.start("w")
        run_until_idle()

        (row,) = answer("list")

        self.assertRegex(row["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*\+00:00$")
        self.assertGreaterEqual(row["duration_seconds"], 0)

    def test_follows_the_index(self):
        """The newest are found without reading the others: index durable_workflow_created."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        rows = Workflow.objects.order_by("-created_at", "-pk")[:50]

        self.assertIn("durable_workflow_created", rows.explain())
