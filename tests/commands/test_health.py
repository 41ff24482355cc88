"""`manage.py durable health`: for probes, which look at the exit code, and for people."""

import json
import os
import subprocess
import sys
import tempfile
from io import StringIO

from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, override_settings

from durable_django.testing import travel
from tests.commands.support import answer, durable
from tests.monitoring.support import MonitoringTestCase, alive
from tests.sample.queued import begins

_PROBE = """
import sys, django
from django.conf import settings
from django.core.management import execute_from_command_line
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "durable_django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
)
execute_from_command_line(["manage.py", "durable", "health"])
"""


def refused(*arguments):
    """Return what the command prints, and the error by which it ends."""
    out = StringIO()
    try:
        call_command("durable", "health", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), error
    raise AssertionError("It did not end with an error.")


class TheHealth(MonitoringTestCase):
    def test_is_a_line_for_each_check(self):
        """And the exit code 0."""
        lines = durable("health").splitlines()

        self.assertEqual(8, len(lines))
        self.assertEqual(["database", "ok"], lines[0].split())

    def test_is_an_object_for_programs(self):
        """Each check has a list of problems."""
        found = answer("health")

        self.assertIs(found["healthy"], True)
        self.assertEqual([], found["checks"]["queues"])

    def test_ends_with_1_if_there_is_a_problem(self):
        """After saying which."""
        begins.start("a")

        text, error = refused()
        as_json, _error = refused("--json")

        self.assertEqual((1, "Not healthy: 1 problem."), (error.returncode, str(error)))
        self.assertRegex(text, r"(?m)^workers +Queue single has work")
        self.assertEqual((False, 1), ((found := json.loads(as_json))["healthy"], len(found["checks"]["workers"])))

    def test_takes_other_thresholds(self):
        """From the command line, or the settings."""
        alive()
        begins.start("a")
        with travel(seconds=20):
            patient = durable("health")
            impatient, _error = refused("--max-delay", "10s")
            with override_settings(DURABLE_DJANGO={"QUEUE_DELAY_SECONDS": 5}):
                by_settings, _error = refused()
            with override_settings(DURABLE_DJANGO={"QUEUE_DELAY_SECONDS": 5}):
                by_both = durable("health", "--max-delay", "1m", "--grace", "5m")

        self.assertEqual(
            (False, True, True, False), tuple("delayed" in each for each in (patient, impatient, by_settings, by_both))
        )


class AProjectInTrouble(SimpleTestCase):
    def probed(self, name):
        """Return exit code and first line of the command in a project of its own, with this file for a database."""
        environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, name],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout.splitlines()

    def test_is_told_that_its_database_cannot_be_reached(self):
        """Without a traceback, and nothing else is asked."""
        code, (line,) = self.probed("/nonexistent/folder/file")

        self.assertEqual(1, code)
        self.assertRegex(line, r"^database +Database 'default' does not answer: unable to open database file$")

    def test_is_told_that_it_has_not_migrated(self):
        """There is no table at all."""
        with tempfile.TemporaryDirectory() as folder:
            code, (database, migrations) = self.probed(f"{folder}/new.sqlite3")

        self.assertEqual((1, ["database", "ok"]), (code, database.split()))
        self.assertRegex(migrations, r"^migrations +Not applied: durable_django\.0001_initial, durable_django\.0002")
