"""manage.py durable prune: what it chooses, how it asks, what it reports."""

import math
from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase

from durable_django import workflow
from durable_django.models import Workflow, retention
from durable_django.testing import run_until_idle, travel
from tests.behaviour.retaining import ended, left_of, sweep
from tests.commands.support import answer, at_a_terminal, durable, said
from tests.sample.workflows import two_marks


@workflow(retention=math.inf)
def kept_for_ever():
    return None


def bare():
    return set(Workflow.objects.filter(is_bare=True).values_list("pk", flat=True))


class PruneTestCase(TestCase):
    def setUp(self):
        """Three that ended forty days ago, one of them badly; one that ended yesterday, one that lives."""
        with travel(days=-40):
            for name in ("old", "older", "failed"):
                two_marks.using(id=name, attributes={"n": name}).start("w")
            run_until_idle()
        with travel(days=-1):
            two_marks.using(id="new").start("w")
            run_until_idle()
        two_marks.using(id="live").start("w")
        Workflow.objects.filter(pk="failed").update(status="failed")


class WhatIsPruned(PruneTestCase):
    def test_is_what_is_past_its_retention(self):
        """As the settings and the workflows say: what workers would do by and by."""
        self.assertEqual({"pruned": 2, "deleted": 0}, answer("prune", "--yes"))
        self.assertEqual({"old", "older"}, bare())
        self.assertEqual({}, left_of("old"))

    def test_is_what_ended_before_a_moment(self):
        """Whatever its retention; the age counts from the end."""
        Workflow.objects.filter(pk="new").update(created_at="2020-02-29T12:00:00Z")
        self.assertEqual({"pruned": 3, "deleted": 0}, answer("prune", "--older-than", "2d", "--yes"))
        self.assertEqual({"old", "older", "failed"}, bare())
        self.assertEqual(1, answer("prune", "--older-than", "1h", "--yes")["pruned"])

    def test_is_never_what_is_kept_for_ever(self):
        """Nor a bare row, before its time."""
        with travel(days=-400):
            kept_for_ever.using(id="books").start()
            run_until_idle()

        # The one that lives has run as well.
        self.assertEqual({"pruned": 5, "deleted": 0}, answer("prune", "--older-than", "0s", "--yes"))
        self.assertNotIn("books", bare())

    def test_may_be_filtered(self):
        """By the filters of list; since and until mean the creation."""
        for filters, found in (
            (("--id-prefix", "olde"), {"older"}),
            (("--attribute", "n=old"), {"older", "old"}),
            (("--status", "failed", "--older-than", "30d"), {"older", "old", "failed"}),
            (("--name", "sample.retried"), {"older", "old", "failed"}),
            (("--since", "2d", "--older-than", "1h"), {"older", "old", "failed", "new"}),
        ):
            durable("prune", *filters, "--yes")
            self.assertEqual(found, bare(), filters)

    def test_are_bare_rows_too_in_their_time(self):
        """A year after their end, by default; not if an age is given."""
        sweep()
        with travel(days=330):
            self.assertEqual({"pruned": 2, "deleted": 0}, answer("prune", "--older-than", "1d", "--yes"))
            text = durable("prune", "--yes")

        self.assertEqual("0 workflows pruned. 3 bare rows deleted.\n", text)


class BeforeItIsDone(PruneTestCase):
    def test_it_can_be_told(self):
        """How many, by how they ended; nothing is changed."""
        text = durable("prune", "--older-than", "30d", "--dry-run")
        found = answer("prune", "--older-than", "30d", "--dry-run")

        self.assertEqual("3 workflows fit (2 succeeded, 1 failed). Nothing was changed.\n", text)
        self.assertEqual({"would_prune": {"succeeded": 2, "failed": 1}, "would_delete": 0}, found)
        self.assertEqual(set(), bare())

    def test_what_has_to_stay_is_not_counted(self):
        """A workflow whose parent lives, for one."""
        Workflow.objects.filter(pk="old").update(parent="live")

        self.assertEqual({"succeeded": 1}, answer("prune", "--dry-run")["would_prune"])
        self.assertEqual(1, answer("prune", "--yes")["pruned"])

    def test_it_is_asked(self):
        """Yes, or nothing is changed."""
        with at_a_terminal("n"), self.assertRaisesMessage(CommandError, "Nothing was changed."):
            said("prune")
        self.assertEqual(set(), bare())
        with at_a_terminal("y"):
            out, err = said("prune")

        self.assertEqual("2 workflows pruned.\n", out)
        self.assertIn("2 workflows fit (2 succeeded). Prune? [y/N] ", err)

    def test_nobody_is_asked_without_a_terminal(self):
        """A script must say --yes; for nothing nobody needs to be asked."""
        with self.assertRaisesMessage(CommandError, "Nobody is there to ask: add --yes to prune them."):
            durable("prune")
        self.assertEqual("0 workflows pruned.\n", durable("prune", "--name", "sample.retried"))


class LongWork(TestCase):
    def setUp(self):
        with travel(days=-40):
            ended(7)
        Workflow.objects.update(finished_at="2020-02-29T12:00:00Z")
        patched = mock.patch.object(retention, "BATCH", 3)
        patched.start()
        self.addCleanup(patched.stop)

    def test_shows_how_far_it_is(self):
        """A bar on the terminal, beside the answer."""

        terminal = StringIO()
        terminal.isatty = lambda: True
        call_command("durable", "prune", "--older-than", "1d", "--yes", stdout=StringIO(), stderr=terminal)

        drawn = terminal.getvalue()
        self.assertIn("\r[############..................] 3 of 7\r", drawn)
        self.assertIn("\r[##############################] 7 of 7\n", drawn)

    def test_may_be_stopped(self):
        """What is done is done; the rest stays whole."""
        steps = retention.prune

        def stopped(parts):
            yield next(steps(parts))
            raise KeyboardInterrupt

        with (
            mock.patch.object(retention, "prune", stopped),
            self.assertRaisesMessage(CommandError, "Stopped: 3 pruned, 0 deleted; the rest stays."),
        ):
            durable("prune", "--older-than", "1d", "--yes")
        self.assertEqual(3, len(bare()))
