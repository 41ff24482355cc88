"""apps.py: rows for declared queues are made by migrate."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock, skipIf

from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate
from django.test import SimpleTestCase, TestCase

from durable_django.engine import context
from durable_django.models import Queue


def migrated(using="default", plan=()):
    """Send what `migrate` sends after its work."""
    config = apps.get_app_config("durable_django")
    post_migrate.send(sender=config, app_config=config, using=using, plan=plan, apps=apps, verbosity=0)


class AfterMigrate(TestCase):
    def setUp(self):
        Queue.objects.all().delete()

    def test_each_declared_queue_has_a_row(self):
        """Before any worker has booted: an operator can pause them."""
        migrated()

        self.assertIn("default", Queue.objects.values_list("name", flat=True))

    def test_rows_stay_as_an_operator_made_them(self):
        """A paused queue stays paused."""
        migrated()
        Queue.objects.pause()

        migrated()

        self.assertFalse(Queue.objects.open().exists())

    def test_another_database_is_left_alone(self):
        """Queues are rows of the database that holds the workflows."""
        with mock.patch.object(context, "alias_of_workflows", return_value="other"):
            migrated()

        self.assertFalse(Queue.objects.exists())


@skipIf(connection.vendor == "postgresql", "runs on an SQLite file of its own, whatever the suite runs on")
class MigratingInParts(SimpleTestCase):
    def test_never_fails_for_missing_tables(self):
        """Another app first, then all, then ours back to nothing: on a database of its own."""
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder) / "parts.sqlite3"
            environment = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "DURABLE_TEST_DATABASE": "sqlite",
                "DURABLE_TEST_DATABASE_NAME": str(database),
            }
            for arguments in (["contenttypes"], [], ["durable_django", "zero"], ["durable_django"]):
                command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0", *arguments]
                ended = subprocess.run(
                    command, env=environment, capture_output=True, text=True, check=False, timeout=120
                )
                self.assertEqual((0, ""), (ended.returncode, ended.stderr), arguments)

            with contextlib.closing(sqlite3.connect(database)) as found:
                names = [name for (name,) in found.execute("SELECT name FROM durable_django_queue")]
        self.assertIn("default", names)
