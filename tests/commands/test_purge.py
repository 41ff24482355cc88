"""`manage.py durable purge`, and what else the verbs in the terminal learned: children, progress, applications."""

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings

from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.states import claim
from tests.behaviour.support import acting, row, waiting
from tests.behaviour.test_followers import sells
from tests.behaviour.test_resuming_trees import BROKEN, delivers_below
from tests.commands.support import answer, at_a_terminal, durable, listed, refused
from tests.sample import branching
from tests.sample.promises import acts, acts_itself
from tests.sample.workflows import two_marks


def ended(*ids):
    for each in ids:
        two_marks.using(id=each).start("w")
    run_until_idle()


class APurge(TestCase):
    def test_removes_what_has_ended(self):
        """By id: with all that it owns."""
        ended("a", "b")
        self.assertEqual({"purged": 1}, answer("purge", "a"))
        self.assertEqual((["b"], {"b"}), (listed(), set(Step.objects.values_list("workflow", flat=True))))

    def test_leaves_what_lives(self):
        """Or has not let go, and tells so, also by the exit code."""
        ended("done")
        two_marks.using(id="live", delay=3600).start("w")
        held = acts.using(id="held").start()
        claim(held)
        row(held).cancel()
        found, _error, code = refused("purge", "done", "live", "held")

        self.assertEqual((1, 1), (found["purged"], code))
        self.assertEqual(
            {"live": "queued", "held": "cancelled, and its last attempt has not let go"}, found["unchanged"]
        )

    def test_by_filters_asks(self):
        """It cannot be undone."""
        ended("a", "b")
        two_marks.using(id="live").start("w")
        with self.assertRaisesMessage(CommandError, "2 workflows fit (2 succeeded). Nobody is there to ask"):
            durable("purge", "--since", "1h")
        with at_a_terminal("n"), self.assertRaisesMessage(CommandError, "Nothing was changed."):
            durable("purge", "--since", "1h")
        with at_a_terminal("y"):
            self.assertEqual({"purged": 2}, answer("purge", "--since", "1h"))
        self.assertEqual(["live"], listed())

    def test_may_leave_bare_rows(self):
        """Which a second one of this kind does not count, and one without the option removes."""
        ended("a", "b")
        only = ("--since", "1h", "--payloads-only", "--yes")

        self.assertEqual([{"purged": 2}, {"purged": 0}], [answer("purge", *only) for _time in range(2)])
        self.assertEqual((2, 0), (Workflow.objects.count(), Step.objects.count()))
        self.assertEqual({"purged": 2}, answer("purge", "--since", "1h", "--yes"))

    def test_may_take_children_along(self):
        """As far as they have ended."""
        handle = branching.nests.start(3)
        run_until_idle()
        self.assertEqual({"purged": 4}, answer("purge", handle.id, "--children"))

    def test_that_is_stopped_tells_how_far_it_came(self):
        """What was removed is gone; the rest stays."""
        ended("a", "b", "c")
        purge = type(Workflow.objects.all()).purge
        calls = []

        def purge_once(rows, **options):
            if calls:
                raise KeyboardInterrupt
            calls.append(rows)
            return purge(rows, **options)

        with (
            mock.patch("durable_django.management.changing._PART", 1),
            mock.patch.object(type(Workflow.objects.all()), "purge", purge_once),
            self.assertRaisesMessage(CommandError, "Stopped: 1 purged; the rest stays as it is."),
        ):
            durable("purge", "--since", "1h", "--yes")
        self.assertEqual(["b", "c"], sorted(listed()))


class AResume(TestCase):
    def test_may_take_children_along(self):
        """Those that failed, first."""
        self.addCleanup(BROKEN.clear)
        BROKEN.add("a")
        with acting(lambda: delivers_below("a")):
            handle = waiting(acts_itself)
            BROKEN.clear()
            found = answer("resume", handle.id, "--children")
            run_until_idle()

        self.assertEqual(({"resumed": 2}, "succeeded"), (found, row(handle).status))


class ACancellation(TestCase):
    def test_of_what_was_started_before_leaves_what_came_later(self):
        """--until is the moment of the start."""
        for each in ("old", "older", "new"):
            two_marks.using(id=each).start("w")
        Workflow.objects.filter(pk__startswith="old").update(created_at="2020-02-29T12:00:00Z")

        self.assertEqual({"cancelled": 2}, answer("cancel", "--until", "2020-03-01", "--yes"))
        self.assertEqual("queued", Workflow.objects.get(pk="new").status)

    def test_leaves_what_follows_it(self):
        """Also where it takes several transactions: that began after the question."""
        for number in range(3):
            sells.using(id=f"s{number}").start(number)
        with mock.patch("durable_django.management.changing._PART", 1):
            found = answer("cancel", "--since", "1h", "--yes")

        self.assertEqual({"cancelled": 3}, found)
        self.assertEqual(
            {"queued"}, set(Workflow.objects.filter(name="tests.releases").values_list("status", flat=True))
        )

    def test_shows_how_far_it_is(self):
        """On a terminal, beside the answer."""
        for number in range(3):
            two_marks.using(id=f"w{number}").start("w")
        err = StringIO()
        err.isatty = lambda: True
        with mock.patch("durable_django.management.changing._PART", 2):
            call_command("durable", "cancel", "--since", "1h", "--yes", stdout=StringIO(), stderr=err)

        self.assertIn("] 2 of 3", err.getvalue())
        self.assertIn("] 3 of 3", err.getvalue())


class TwoProjectsOnOneSetOfTables(TestCase):
    def setUp(self):
        with override_settings(DURABLE_DJANGO={"APPLICATION": "shop"}):
            two_marks.using(id="of the shop", version="2").start("w")
        with override_settings(DURABLE_DJANGO={"APPLICATION": "news"}):
            two_marks.using(id="of the news").start("w")
        # Its code is loaded in the other project only.
        Workflow.objects.filter(pk="of the shop").update(name="shop.elsewhere", on_cancel="shop.releases")

    def test_are_listed_together_or_by_themselves(self):
        """By their label; also by the version of the code."""
        self.assertEqual({"of the shop", "of the news"}, set(listed()))
        self.assertEqual(["of the shop"], listed("--application", "shop"))
        self.assertEqual(["of the shop"], listed("--version", "2"))

    def test_know_the_verbs_of_what_they_cannot_run(self):
        """Whatever needs no code: pause, resume, fork, cancel with what follows, purge."""
        for verb, done in (("pause", "paused"), ("resume", "resumed"), ("cancel", "cancelled")):
            self.assertEqual({done: 1}, answer(verb, "--application", "shop", "--yes"), verb)
        fork = answer("fork", "of the shop", "--args", '["x"]')["forked"]["of the shop"]
        made = {pk: tuple(found) for pk, *found in Workflow.objects.values_list("pk", "name", "application", "status")}

        self.assertEqual(("shop.elsewhere", "shop", "queued"), made[fork])
        self.assertEqual(("shop.releases", "shop", "queued"), made["of the shop:on_cancel:0"])
        self.assertEqual({"purged": 1}, answer("purge", "of the shop"))
        self.assertEqual("queued", made["of the news"][2])
