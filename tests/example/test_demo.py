"""The demo in its short form, with real processes, a real SIGKILL and a database of its own."""

import os
import signal
import subprocess
from unittest import mock, skipUnless

from django.core.management import CommandError, call_command
from django.db import connection
from django.test import SimpleTestCase

from example_project.demo.processes import Processes
from tests.example.processes import CommandCase

only_once = skipUnless(connection.vendor == "sqlite", "has a SQLite database of its own, whatever the suite runs on")


@only_once
class TheDemo(CommandCase):
    def test_sums_are_right(self):
        """A worker is killed with workflows in its hands; they are recovered, every sum is right, nothing is left."""
        demo = self.start("demo", "--orders", "30", "--folder", str(self.folder / "demo"))

        self.assert_ends(demo, code=0)

        self.assertIn("All sums are right", self.output())
        self.assertRegex(self.output(), r"\n  orders +30\n")
        self.assertRegex(self.output(), r"\n  duplicates \(charged twice\) +0\n")
        self.assertRegex(self.output(), r"\n  recovered workflows +[1-4]\n")
        self.assertRegex(self.output(), r"-- worker-2 is killed; attempt \d+ answers")
        self.assert_nothing_is_left()

    def test_ctrl_c(self):
        """Interrupted in the middle, it ends all its processes and says that nothing came of it."""
        demo = self.start("demo", "--folder", str(self.folder / "demo"))
        self.wait_for_output("running   [1-9]")

        demo.send_signal(signal.SIGINT)

        self.assert_ends(demo, code=130)
        self.assertIn("Interrupted; everything was stopped.", self.output())
        self.assertNotIn("Traceback", self.output())
        self.assert_nothing_is_left()

    def test_terminated(self):
        """Terminated, it ends all its processes too."""
        demo = self.start("demo", "--folder", str(self.folder / "demo"))
        self.wait_for_output("started worker-1")

        demo.terminate()

        self.assert_ends(demo, code=143)
        self.assert_nothing_is_left()

    def test_worker_that_ends_by_itself(self):
        """If a process ends that should run, the demo shows its log and exits 1."""
        demo = self.start("demo", "--folder", str(self.folder / "demo"))
        worker = int(self.wait_for_output(r"started worker-1, process (\d+)")[1])
        self.wait_for_output("checkouts")

        os.kill(worker, signal.SIGKILL)

        self.assert_ends(demo, code=1)
        self.assertIn("worker-1 ended by itself with exit code -9", self.output())
        self.assertIn("--- worker-1.log", self.output())
        self.assert_nothing_is_left()


class AChildOfTheDemo(SimpleTestCase):
    def test_signal_while_it_is_started(self):
        """A signal that comes before a new child is known ends the demo, and the child with it."""
        popen = subprocess.Popen

        def interrupted_popen(*arguments, **options):
            self.child = popen(*arguments, **options)
            signal.raise_signal(signal.SIGTERM)
            return self.child

        with (
            self.assertRaises(SystemExit),
            mock.patch.object(subprocess, "Popen", interrupted_popen),
            Processes() as processes,
        ):
            processes.start("sleeper", "-c", "import time; time.sleep(600)")

        self.assertEqual(-signal.SIGTERM, self.child.poll())


class BadOptions(SimpleTestCase):
    def test_too_few_orders(self):
        """A demo too short to kill a worker in is refused."""
        for text in ("3", "-30", "many", "30.5"):
            with self.subTest(text), self.assertRaisesMessage(CommandError, "expected a whole number from 30"):
                call_command("demo", "--orders", text)
