"""`manage.py durable` as a shell sees it: exit codes, streams, pipes, Django's own options."""

import contextlib
import json
import subprocess
from io import StringIO

from django.core.management import call_command, execute_from_command_line
from django.test import TestCase, TransactionTestCase

from durable_django.models import Workflow
from tests.commands.support import begun, ended
from tests.sample.workflows import two_marks


class TheExitCode(TransactionTestCase):
    def code(self, *arguments):
        """Return how the command would end its process; a traceback goes through."""
        said = StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                execute_from_command_line(["manage.py", "durable", *arguments])
            except SystemExit as end:
                return end.code
        return 0

    def test_says_done_refused_or_wrong_usage(self):
        """0, 1 or 2, never a traceback."""
        two_marks.using(id="w1").start("w")

        for code, arguments in (
            (0, ["list"]),
            (0, ["show", "w1", "--json", "--no-color"]),
            (1, ["show", "nobody"]),
            (1, ["start", "sample.nobody"]),
            (1, ["cancel", "--status", "queued"]),
            (2, ["cancel"]),
            (2, ["list", "--status", "nope"]),
            (0, ["cancel", "w1", "--reason", "enough", "--verbosity", "0"]),
        ):
            self.assertEqual(code, self.code(*arguments), arguments)

        self.assertEqual("enough", Workflow.objects.get().reason)

    def test_is_that_of_the_process(self):
        """Without a traceback on its streams."""
        for code, arguments in ((0, ["list"]), (1, ["show", "nobody"])):
            found = ended(*arguments)
            self.assertEqual((code, False), (found.returncode, "Traceback" in found.stderr))

    def test_is_one_if_the_tables_are_missing(self):
        """With what to do about it."""
        empty = {"DURABLE_TEST_DATABASE": "sqlite", "DURABLE_TEST_DATABASE_NAME": ":memory:"}

        found = ended("list", environment=empty)

        self.assertEqual(1, found.returncode)
        self.assertIn("manage.py migrate", found.stderr)
        self.assertNotIn("Traceback", found.stderr)


class AReaderThatHasSeenEnough(TransactionTestCase):
    def test_ends_the_command_quietly(self):
        """| head leaves no complaint on the terminal, however early it closes the pipe."""
        two_marks.start_many([("w",)] * 1000)

        for lines in (0, 1):
            command = begun(
                "list", "--json", "--limit", "1000", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(lines):
                command.stdout.readline()
            command.stdout.close()
            complaint = command.stderr.read()
            command.stderr.close()
            self.assertEqual((0, ""), (command.wait(timeout=60), complaint))


class ATerminalThatKnowsOnlyAscii(TransactionTestCase):
    def test_sees_codes_instead_of_letters(self):
        """Not a UnicodeEncodeError."""
        two_marks.using(id="größe-訂單").start("w")

        found = ended("list", environment={"PYTHONIOENCODING": "ascii"})

        self.assertEqual(0, found.returncode)
        self.assertIn(r"gr\xf6\xdfe-\u8a02\u55ae", found.stdout)


class TheWorkerVerb(TransactionTestCase):
    def test_is_the_worker_command(self):
        """It takes the same options and runs what is queued."""
        two_marks.using(id="w1").start("w")

        found = ended("worker", "--until-idle", "--threads", "1", "--no-reload")

        self.assertEqual((0, "succeeded"), (found.returncode, Workflow.objects.get().status), found.stderr)

    def test_refuses_as_the_worker_command_does(self):
        """Wrong usage is 2."""
        found = ended("worker", "--threads", "0")

        self.assertEqual(2, found.returncode)
        self.assertIn("expected a whole number from 1", found.stderr)


class FromCode(TestCase):
    def test_options_may_be_given_by_name(self):
        """call_command() is how a project's own command would use it."""
        two_marks.using(id="w1").start("w")
        out = StringIO()

        call_command("durable", "list", json=True, stdout=out)

        self.assertEqual(["w1"], [row["id"] for row in json.loads(out.getvalue())])
