"""manage.py worker with options that cannot be, without migrations, with failing checks: refused before it claims."""

import io
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase, override_settings

from durable_django.models import Worker
from durable_django.worker import boot
from durable_django.worker.supervisor import Supervisor
from tests.sample.promises import takes_order


class WorkerCommandTestCase(TestCase):
    def setUp(self):
        """Stand in for the supervisor, which would start processes; it tells what it was asked for."""
        self.started = []
        patched = mock.patch.object(Supervisor, "run", lambda supervisor: self.started.append(supervisor.options) or 0)
        patched.start()
        self.addCleanup(patched.stop)

    def worker(self, *arguments):
        call_command("worker", *arguments, verbosity=0, stdout=io.StringIO(), stderr=io.StringIO())

    def assert_refused(self, *arguments, words, returncode=1):
        with self.assertRaises(CommandError) as caught:
            self.worker(*arguments)
        for each in words:
            self.assertIn(each, str(caught.exception))
        self.assertEqual(returncode, caught.exception.returncode)
        self.assertEqual([], self.started)
        self.assertFalse(Worker.objects.exists())


class BadOptions(WorkerCommandTestCase):
    def test_are_refused_at_the_prompt(self):
        """Each names the option, what it expects, and the value."""
        for arguments, *words in (
            (["--threads", "0"], "--threads", "expected a whole number from 1, got '0'"),
            (["--threads", "-1"], "--threads"),
            (["--threads", "many"], "--threads", "got 'many'"),
            (["--threads", "1.5"], "--threads", "got '1.5'"),
            (["--processes", "0"], "--processes", "expected a whole number from 1"),
            (["--max-workflows", "-5"], "--max-workflows"),
            (["--grace", "-1"], "--grace"),
            (["--grace", "inf"], "--grace", "expected a number of seconds from 0, got 'inf'"),
            (["--grace", "nan"], "--grace", "got 'nan'"),
            (["--grace", "soon"], "--grace", "got 'soon'"),
            (["--queues", ""], "--queues", "expected queue names, comma separated"),
            (["--queues", " , "], "--queues"),
            (["--unknown"], "--unknown"),
        ):
            with self.subTest(arguments=arguments):
                self.assert_refused(*arguments, words=words)

    def test_of_undeclared_queues_name_the_nearest(self):
        """A misspelt queue would never be served."""
        self.assert_refused("--queues", "default,secnd", words=["does not start", "'secnd'", "Did you mean 'second'?"])

    def test_that_leave_no_queue_are_refused(self):
        """A worker that claims nothing, ever, is a mistake."""
        self.assert_refused("--exclude-queues", "*", words=["does not start", "--exclude-queues *", "leave no queue"])
        self.assert_refused("--queues", "second", "--exclude-queues", "sec*", words=["leave no queue"])

    def test_may_be_left_out(self):
        """The defaults: all queues, THREADS threads, one process, 30 s of grace."""
        with override_settings(DURABLE_DJANGO={"THREADS": 3}):
            self.worker()

        (options,) = self.started
        self.assertEqual(((), 3, 1, 30, False), (
            options.queues, options.threads, options.processes, options.grace_seconds, options.reload,
        ))  # fmt: skip

    def test_reach_the_supervisor(self):
        """Good ones are taken as they are."""
        self.worker(
            "--queues", " default , second ", "--threads", "2", "--processes", "3", "--grace", "0.5", "--name", "x"
        )

        (options,) = self.started
        self.assertEqual((("default", "second"), 2, 3, 0.5, "x"), (
            options.queues, options.threads, options.processes, options.grace_seconds, options.name,
        ))  # fmt: skip

    def test_reload_follows_debug(self):
        """On where DEBUG is on, unless said otherwise."""
        with override_settings(DEBUG=True):
            self.worker()
            self.worker("--no-reload")
        self.worker("--reload")

        self.assertEqual([True, False, True], [options.reload for options in self.started])


class AWorker(WorkerCommandTestCase):
    def test_without_migrations_does_not_start(self):
        """It names the migrations and the command, and leaves work where it is; G29."""
        handle = takes_order.start(7)
        MigrationRecorder.Migration.objects.filter(app="durable_django").delete()

        self.assert_refused(
            words=["does not start", "durable_django.0001_initial", "manage.py migrate --database default"]
        )
        self.assertEqual("queued", handle.refresh().status)

    def test_without_many_migrations_names_a_few(self):
        """The message stays readable."""
        MigrationRecorder.Migration.objects.all().delete()

        self.assert_refused(words=["more"])

    def test_with_failing_checks_does_not_start(self):
        """The errors of the system checks are the reason."""
        with override_settings(DURABLE_DJANGO={"LEASE_SECOND": 5}):
            self.assert_refused(words=["does not start", "durable_django.E002", "Did you mean 'LEASE_SECONDS'?"])

    def test_with_silenced_checks_starts(self):
        """What the project has silenced is its own decision."""
        with override_settings(DURABLE_DJANGO={"LEASE_SECOND": 5}, SILENCED_SYSTEM_CHECKS=["durable_django.E002"]):
            self.worker()

        self.assertEqual(1, len(self.started))

    def test_whose_database_is_away_starts(self):
        """Its processes wait for the database: only what it says once it answers can forbid to start."""
        with mock.patch.object(boot, "refusals", side_effect=OperationalError("connection refused")):
            self.worker()

        self.assertEqual(1, len(self.started))
        self.assertTrue(issubclass(OperationalError, DatabaseError))

    def test_that_ended_badly_passes_its_code_on(self):
        """The exit code of the processes is that of the command."""
        with mock.patch.object(Supervisor, "run", return_value=2), self.assertRaises(SystemExit) as caught:
            self.worker()

        self.assertEqual(2, caught.exception.code)
