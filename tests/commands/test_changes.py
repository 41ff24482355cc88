"""`manage.py durable cancel`, `pause` and `resume`: whom they change, how they ask, what they report."""

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase
from django.utils import timezone

from durable_django.management.changing import VERBS
from durable_django.models import Workflow
from durable_django.models.status import Status
from durable_django.models.workflow_queryset import WorkflowQuerySet
from tests.commands.support import answer, at_a_terminal, durable, refused, said
from tests.sample.workflows import two_marks


def workflows(*statuses):
    """Make one workflow in each of these states; its id is the status."""
    for status in statuses:
        two_marks.using(id=status).start("w")
        columns = {"worker": "somebody", "attempt": 1} if status == "running" else {}
        if status in Status.terminal():
            columns["finished_at"] = timezone.now()
        Workflow.objects.filter(pk=status).update(status=status, **columns)


class WhatIsCounted(TestCase):
    def test_is_what_the_verb_changes(self):
        """The table of the command agrees with the verbs of the queryset, state by state."""
        for verb in VERBS.values():
            Workflow._base_manager.all().delete()
            workflows(*Status.values)
            changed = {status for status in Status.values if getattr(Workflow.objects.filter(pk=status), verb.name)()}
            self.assertEqual(set(verb.acts_on), changed, verb.name)

    def test_is_told_before_it_is_changed(self):
        """How many, by state, without those that the verb leaves alone."""
        workflows("queued", "paused", "succeeded")
        two_marks.start("w")

        with self.assertRaisesMessage(CommandError, "3 workflows fit (2 queued, 1 paused). Nobody is there to ask"):
            durable("cancel", "--name", "sample.two_marks")


class AQuestion(TestCase):
    def setUp(self):
        workflows("queued")

    def test_is_answered_by_yes(self):
        """y or yes, in any case."""
        for reply in ("y", " YES "):
            Workflow.objects.update(status="queued")
            with at_a_terminal(reply):
                self.assertEqual({"paused": 1}, answer("pause", "--status", "queued"))

    def test_changes_nothing_for_any_other_answer(self):
        """No, nothing, the end of the input, Ctrl-C."""
        for reply in ("n", "", "yeah", EOFError(), KeyboardInterrupt()):
            with at_a_terminal(reply), self.assertRaisesMessage(CommandError, "Nothing was changed."):
                said("pause", "--status", "queued")
        self.assertEqual(1, Workflow.objects.queued().count())

    def test_stands_beside_the_answer(self):
        """What a program reads from stdout is JSON alone."""
        with at_a_terminal("y"):
            out, err = said("pause", "--status", "queued", "--json")

        self.assertEqual('{\n  "paused": 1\n}\n', out)
        self.assertIn("1 workflow fits (1 queued). Pause? [y/N]", err)

    def test_is_not_put_without_a_terminal(self):
        """A script must say --yes; one without any standard input too."""
        for stdin in (None, mock.Mock(isatty=lambda: False)):
            with mock.patch("sys.stdin", stdin), self.assertRaisesMessage(CommandError, "add --yes to cancel them"):
                durable("cancel", "--status", "queued")
        self.assertEqual(1, Workflow.objects.queued().count())

    def test_is_not_put_for_nothing(self):
        """If no workflow fits, the answer is 0."""
        self.assertEqual({"cancelled": 0}, answer("cancel", "--status", "failed"))

    def test_is_not_put_for_ids(self):
        """Who names workflows one by one has been asked already."""
        self.assertEqual({"cancelled": 1}, answer("cancel", "queued"))


class Ids(TestCase):
    def test_that_are_left_as_they_are_are_told(self):
        """An end is not changed by a second cancel, which is no error: they are what was asked for."""
        workflows("queued", "waiting")

        found = answer("cancel", "queued", "queued")
        text = durable("cancel", "queued", "waiting")
        again = answer("cancel", "queued", "waiting")

        self.assertEqual({"cancelled": 1}, found)
        self.assertIn("1 workflow cancelled.\n  queued is cancelled: left as it is.", text)
        self.assertEqual({"cancelled": 0, "unchanged": {"queued": "cancelled", "waiting": "cancelled"}}, again)

    def test_that_cannot_be_changed_are_an_error(self):
        """F11: the others are changed, and the exit code is 1; the same for each verb."""
        for verb, done, goal in (("cancel", "cancelled", "paused"), ("pause", "paused", "queued")):
            with self.subTest(verb=verb):
                Workflow._base_manager.all().delete()
                workflows(goal, "succeeded", "failed")

                found, error, code = refused(verb, goal, "succeeded", "failed")

                self.assertEqual({done: 1, "unchanged": {"succeeded": "succeeded", "failed": "failed"}}, found)
                self.assertEqual(1, code)
                self.assertIn(f"2 of the workflows that were named could not be {done}", error)
                self.assertIn("manage.py durable show succeeded", error)

    def test_that_go_on_already_need_no_resuming(self):
        """A retry of the command is no error, but a success cannot be resumed."""
        workflows("failed", "running", "waiting", "succeeded")

        found = answer("resume", "failed", "running", "waiting")
        _found, _error, code = refused("resume", "failed", "succeeded")

        self.assertEqual({"resumed": 1, "unchanged": {"running": "running", "waiting": "waiting"}}, found)
        self.assertEqual(1, code)

    def test_whose_deduplication_key_another_one_holds_are_refused(self):
        """By a sentence, not by a traceback; they hold back nobody else."""
        workflows("failed", "cancelled", "queued")
        Workflow.objects.filter(pk__in=("failed", "queued")).update(deduplication_key="k")

        for chosen in (("failed", "cancelled"), ("--status", "failed", "--status", "cancelled", "--yes")):
            with self.subTest(chosen):
                Workflow.objects.filter(pk="cancelled").update(status="cancelled", finished_at=timezone.now())

                found, error, code = refused("resume", *chosen)

                self.assertEqual((1, 1), (found["resumed"], code))
                self.assertIn("Workflow 'queued' already holds the deduplication key 'k'", found["refused"]["failed"])
                self.assertIn("1 workflow could not be resumed", error)

    def test_that_nobody_has_are_all_named(self):
        """Up to ten of them; nothing is changed."""
        workflows("queued")

        with self.assertRaises(CommandError) as caught:
            durable("cancel", "queued", *[f"gone-{number}" for number in range(12)])

        self.assertIn("gone-0, gone-1,", str(caught.exception))
        self.assertIn("gone-9 and 2 more.", str(caught.exception))
        self.assertEqual(1, caught.exception.returncode)
        self.assertEqual(1, Workflow.objects.queued().count())

    def test_may_be_many(self):
        """More than a database takes in one statement."""
        ids = [handle.id for handle in two_marks.start_many([("w",)] * 20)]

        with (
            mock.patch("durable_django.management.selection._IDS_PER_STATEMENT", 7),
            mock.patch("durable_django.management.changing._PART", 7),
        ):
            self.assertEqual({"cancelled": 20}, answer("cancel", *ids))


class LongWork(TestCase):
    def setUp(self):
        for number in range(7):
            two_marks.using(id=f"w-{number}").start("w")
        patched = mock.patch("durable_django.management.changing._PART", 3)
        patched.start()
        self.addCleanup(patched.stop)

    def test_shows_how_far_it_is(self):
        """A bar on the terminal, beside the answer."""
        terminal = StringIO()
        terminal.isatty = lambda: True
        call_command("durable", "cancel", "--id-prefix", "w-", "--yes", stdout=StringIO(), stderr=terminal)

        drawn = terminal.getvalue()
        self.assertIn("\r[############..................] 3 of 7\r", drawn)
        self.assertIn("\r[##############################] 7 of 7\n", drawn)

    def test_may_be_stopped(self):
        """What is done is done, and told; the rest stays."""
        pause, calls = WorkflowQuerySet.pause, []

        def stopped(rows):
            calls.append(rows)
            if len(calls) > 1:
                raise KeyboardInterrupt
            return pause(rows)

        with (
            mock.patch.object(WorkflowQuerySet, "pause", stopped),
            self.assertRaisesMessage(CommandError, "Stopped: 3 paused; the rest stays as it is."),
        ):
            durable("pause", "--id-prefix", "w-", "--yes")
        self.assertEqual(3, Workflow.objects.paused().count())


class BareRows(TestCase):
    def test_are_left_as_they_are(self):
        """F11: without their steps they would do everything again; who names one is told by the exit code."""
        workflows("failed")
        Workflow.objects.update(pruned_at="2020-02-29T12:00:00Z")

        found, error, code = refused("resume", "failed")

        self.assertEqual(({"resumed": 0, "unchanged": {"failed": "pruned"}}, 1), (found, code))
        self.assertIn("1 of the workflows that were named could not be resumed", error)
        self.assertEqual({"resumed": 0}, answer("resume", "--status", "failed"))


class AReason(TestCase):
    def test_is_kept_with_the_workflow(self):
        """Of a cancellation and of a pause."""
        workflows("queued", "waiting")
        durable("cancel", "queued", "--reason", "the customer said so")
        durable("pause", "waiting", "--reason", "audit")

        self.assertEqual("the customer said so", Workflow.objects.get(pk="queued").reason)
        self.assertEqual("audit", Workflow.objects.get(pk="waiting").reason)

    def test_is_nothing_that_resume_takes(self):
        """Resuming forgets the reason of the pause."""
        workflows("paused")

        with self.assertRaisesMessage(CommandError, "unrecognized arguments: --reason"):
            durable("resume", "paused", "--reason", "why not")
