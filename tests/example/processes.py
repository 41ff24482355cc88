"""Commands of the example as real processes on a database of their own, and what they leave behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from django.test import SimpleTestCase

from example_project.demo.processes import PROJECT

#: What has not happened by then never will.
LIMIT_SECONDS = 120.0


class CommandCase(SimpleTestCase):
    """Gives every test a folder, and sees to it that nothing which was started in it lives on."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="durable-test-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.output_file = self.folder / "output.txt"
        self.addCleanup(self.kill_all)

    def start(self, *arguments):
        """Start a management command of the example, its database in the folder."""
        with self.output_file.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=PROJECT,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "example_project.settings",
                    "DEMO_DATABASE": str(self.folder / "demo.sqlite3"),
                    "PYTHONUNBUFFERED": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def output(self):
        return self.output_file.read_text()

    def wait_for_output(self, pattern):
        """Wait until the command has printed this, and return the match."""
        self.wait_until(lambda: re.search(pattern, self.output()), f"{pattern} is printed")
        return re.search(pattern, self.output())

    def wait_until(self, condition, what):
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"Waited for {LIMIT_SECONDS:.0f} s until {what}.\n{self.output()}")
            time.sleep(0.05)

    def assert_ends(self, process, code):
        try:
            ended_with = process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.fail(f"It has not ended within {LIMIT_SECONDS:.0f} s.\n{self.output()}")
        self.assertEqual(code, ended_with, self.output())

    def assert_nothing_is_left(self):
        """No process lives that was started in the folder."""
        self.wait_until(lambda: not self.living(), f"processes {self.living()} end")

    def living(self):
        """Return the numbers of the processes whose environment or command names the folder."""
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if self.belongs_here(path)]

    def belongs_here(self, path):
        try:
            words = (path / "environ").read_bytes() + (path / "cmdline").read_bytes()
        except OSError:
            return False
        return os.fsencode(self.folder) in words

    def kill_all(self):
        for pid in self.living():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
