"""Django's own tests of tasks pass with this backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import django
from django.test import SimpleTestCase

from tests.conformance.distribution import PROJECT, NotFetched, tests_of_tasks

_LIMIT_SECONDS = 240


class DjangosOwnTests(SimpleTestCase):
    def test_pass_with_this_backend(self):
        """All but those that are about Django's own classes, and one that no backend with a database can pass."""
        if django.VERSION < (6, 0):
            self.skipTest("Django has no tasks, hence no tests of them, before 6.0.")
        try:
            tests = tests_of_tasks(django.__version__)
        except NotFetched as error:
            self.skipTest(f"DJANGO'S TESTS OF TASKS WERE NOT RUN, since they could not be fetched: {error}")

        counts, output = run(tests)

        self.assertEqual(counts["failed"], 0, output)
        self.assertGreaterEqual(counts["passed"], 59, output)
        self.assertIn("SKIPPED 1: calls refresh(), not arefresh()", output)
        self.assertLessEqual(counts["skipped"], 10, output)


def run(tests: Path) -> tuple[dict[str, int], str]:
    """Run them in a process with a database of its own. Return how many passed, failed and were skipped."""
    with tempfile.TemporaryDirectory(prefix="durable-conformance-") as folder:
        counts = Path(folder) / "counts.json"
        environment = {
            **os.environ,
            "DURABLE_TEST_FOLDER": folder,
            "DURABLE_TEST_COUNTS": str(counts),
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(tests)]),
        }
        environment.pop("DURABLE_TEST_DATABASE_NAME", None)
        command = [sys.executable, "-m", "django", "test", "--settings=tests.conformance.settings", "--noinput"]
        done = subprocess.run(
            [*command, "tests.conformance.ported"],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
        if not counts.exists():
            return {"passed": 0, "failed": 1, "skipped": 0}, done.stdout
        return json.loads(counts.read_text()), done.stdout
