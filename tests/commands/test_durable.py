"""manage.py durable: what each verb shows and does, and how it refuses."""

import json

from django.core.management import CommandError
from django.test import TestCase

from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.commands.support import at_a_terminal, durable
from tests.sample import tasks
from tests.sample.workflows import Flaky, retried, two_marks


class List(TestCase):
    def test_shows_the_newest_first(self):
        """One line each, with name and status."""
        for name in ("first", "second"):
            two_marks.using(id=name).start(name)
            Workflow.objects.filter(pk=name).update(created_at=f"2026-01-0{len(name)}T12:00:00Z")

        lines = durable("list").splitlines()

        self.assertEqual(["id", "second", "first"], [line.split()[0] for line in lines])
        self.assertIn("sample.two_marks", lines[1])
        self.assertIn("queued", lines[1])

    def test_filters(self):
        """Status, name, queue, beginning of the id, age and attributes; all must hold."""
        two_marks.using(id="ended", attributes={"tenant": "a", "n": 1}).start("w")
        run_until_idle()
        two_marks.using(id="open", attributes={"tenant": "b"}).start("w")
        Workflow.objects.filter(pk="open").update(created_at="2020-01-01T00:00:00Z")

        for arguments in (
            ["--status", "succeeded"],
            ["--id-prefix", "en"],
            ["--newer-than", "1h"],
            ["--attribute", "tenant=a"],
            ["--attribute", "n=1"],
            ["--name", "sample.two_marks", "--queue", "default", "--status", "succeeded", "--status", "failed"],
        ):
            found = json.loads(durable("list", "--json", *arguments))
            self.assertEqual(["ended"], [row["id"] for row in found], arguments)
        self.assertEqual(["open"], [row["id"] for row in json.loads(durable("list", "--older-than", "7d", "--json"))])

    def test_calls_tasks_by_their_paths(self):
        """Nobody is helped by two names for all tasks; a row that cannot be read keeps that of its workflow."""
        known, unreadable = tasks.add.enqueue(1, 2), tasks.add.enqueue(3, 4)
        Workflow.objects.filter(pk=unreadable.id).update(arguments="{")
        names = dict(line.split()[:2] for line in durable("list").splitlines())

        self.assertEqual("tests.sample.tasks.add", names[known.id])
        self.assertEqual("durable_django.task", names[unreadable.id])

    def test_reads_no_payload(self):
        """J8: one query for the rows, two for why they wait; none with arguments, results and errors."""
        two_marks.start_many([(f"w{number}",) for number in range(20)])

        with self.assertNumQueries(3) as queries:
            durable("list")

        for query in queries.captured_queries:
            for column in ("arguments", "output", "error"):
                self.assertNotIn(f'"{column}"', query["sql"])

    def test_says_when_nothing_fits(self):
        """An empty list is a sentence for people and an empty array for programs."""
        self.assertEqual("No workflow fits.\n", durable("list"))
        self.assertEqual([], json.loads(durable("list", "--json")))

    def test_shows_control_characters_escaped(self):
        """No row controls the terminal."""
        two_marks.using(id="w").start("w")
        Workflow.objects.update(status="paused", reason="\x1b[31mred\nline", name="a\tb")

        self.assertIn("\\x1b[31mred\\nline", durable("list"))


class Show(TestCase):
    def test_tells_the_story_of_a_workflow(self):
        """Call, status, each step with what came of it, the result."""
        two_marks.using(id="w1").start("w")
        run_until_idle()

        text = durable("show", "w1")

        for part in (
            "w1  sample.two_marks('w')",
            "succeeded",
            "mark_atomically",
            "done",
            "result: ['w-atomic'",
        ):
            self.assertIn(part, text)

    def test_tells_why_it_waits(self):
        """A step between two retries, with its last error."""
        Flaky.failures = 1
        retried.using(id="w1").start("w")
        run_until_idle()

        text = durable("show", "w1")

        for part in (
            "waiting (retry 1 of step 'flaky' in ",
            "retrying",
            "ConnectionError: the provider does not answer",
            "due",
        ):
            self.assertIn(part, text)

    def test_answers_in_json(self):
        """The same facts, with ISO times."""
        two_marks.using(id="w1", attributes={"tenant": "a"}).start("w")
        run_until_idle()

        found = json.loads(durable("show", "w1", "--json"))

        self.assertEqual(("w1", "succeeded", {"tenant": "a"}), (found["id"], found["status"], found["attributes"]))
        self.assertEqual(["mark_atomically", "mark"], [step["name"] for step in found["steps"]])
        self.assertEqual(["done", "done"], [step["state"] for step in found["steps"]])

    def test_reads_damaged_rows(self):
        """H16: it says what cannot be read."""
        two_marks.using(id="w1").start("w")
        run_until_idle()
        Workflow.objects.update(arguments="{", output="[")
        Step.objects.update(output="{")

        self.assertIn("(unreadable: ", durable("show", "w1"))

    def test_refuses_an_unknown_id(self):
        """Named, with what to do."""
        with self.assertRaisesMessage(CommandError, "There is no workflow nothing. See: manage.py durable list"):
            durable("show", "nothing")


class Start(TestCase):
    def test_starts_by_name(self):
        """Positional arguments as a JSON array; the id is the answer."""
        answer = durable("start", "sample.two_marks", "--args", '["w"]', "--id", "w1", "--attribute", "tenant=a")
        run_until_idle()

        row = Workflow.objects.get(pk="w1")
        self.assertEqual(("w1\n", "succeeded", {"tenant": "a"}), (answer, row.status, row.attributes))

    def test_takes_keyword_arguments(self):
        """A JSON object."""
        found = json.loads(durable("start", "sample.two_marks", "--args", '{"label": "w"}', "--delay", "2h", "--json"))

        self.assertEqual("queued", found["status"])
        self.assertIsNotNone(Workflow.objects.get(pk=found["id"]).run_after)

    def test_refuses_what_cannot_be_started(self):
        """An unknown name, wrong arguments, an unknown queue, a bad id: each is a sentence."""
        for arguments, words in (
            (["sample.two_mark"], "Did you mean 'sample.two_marks'?"),
            (["sample.two_marks", "--args", "[1, 2]"], "does not take these arguments"),
            (["sample.two_marks", "--args", '["w"]', "--queue", "defaul"], "Did you mean 'default'?"),
            (["sample.two_marks", "--args", '["w"]', "--priority", "101"], "from -100 to 100"),
        ):
            with self.assertRaises(CommandError) as caught:
                durable("start", *arguments)
            self.assertIn(words, str(caught.exception))
        self.assertEqual(0, Workflow.objects.count())

    def test_refuses_arguments_that_are_no_json(self):
        """At the prompt."""
        with self.assertRaisesMessage(CommandError, "expected JSON, got 'w'"):
            durable("start", "sample.two_marks", "--args", "w")


class Verbs(TestCase):
    def test_change_the_workflows_that_are_named(self):
        """pause, resume, cancel; each says how many."""
        for name in ("a", "b"):
            two_marks.using(id=name).start(name)

        said = [durable("pause", "a", "b", "--reason", "audit"), durable("resume", "b"), durable("cancel", "a", "b")]

        self.assertEqual(["2 workflows paused.\n", "1 workflow resumed.\n", "2 workflows cancelled.\n"], said)
        self.assertEqual({"cancelled"}, set(Workflow.objects.values_list("status", flat=True)))

    def test_change_what_the_filters_leave(self):
        """With --yes nobody is asked."""
        two_marks.start_many([("w",)] * 3)

        found = json.loads(durable("cancel", "--status", "queued", "--yes", "--json"))

        self.assertEqual({"cancelled": 3}, found)

    def test_ask_before_they_change_many(self):
        """At a terminal the answer counts; without one they refuse and name --yes."""
        two_marks.start("w")
        with self.assertRaisesMessage(CommandError, "add --yes"):
            durable("cancel", "--status", "queued")
        with at_a_terminal("n") as asked, self.assertRaisesMessage(CommandError, "Nothing was changed."):
            durable("cancel", "--status", "queued")

        asked.assert_called_once()
        self.assertEqual(1, Workflow.objects.queued().count())

    def test_refuse_unknown_ids_before_they_change_anything(self):
        """One wrong id of two changes nothing."""
        two_marks.using(id="a").start("w")

        with self.assertRaisesMessage(CommandError, "There is no workflow b."):
            durable("cancel", "a", "b")

        self.assertEqual("queued", Workflow.objects.get().status)

    def test_must_be_told_which(self):
        """Neither ids nor filters, or both, is no selection."""
        for arguments in ([], ["a", "--status", "queued"]):
            with self.assertRaisesMessage(CommandError, "Say which workflows"):
                durable("cancel", *arguments)
