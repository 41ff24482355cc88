"""manage.py durable schedules: when each fires next, and why one does not."""

from django.core.management import CommandError
from django.test import TestCase

from durable_django.models import Schedule, Workflow
from tests.behaviour.scheduling import ScheduleTestCase, at, make, started
from tests.commands.support import answer, at_a_terminal, durable, said


class Schedules(TestCase):
    def setUp(self):
        Schedule.objects.all().delete()

    def test_are_listed_by_name(self):
        """With state, text, zone and workflow; a broken one with its error."""
        make(name="b")
        make(name="a", is_paused=True)
        Schedule.objects.filter(name="b").write(error="There is\nno time zone")

        header, first, second = durable("schedules").splitlines()

        self.assertEqual(["name", "state", "next", "last"], header.split()[:4])
        self.assertEqual(["a", "paused", "-"], first.split()[:3])
        self.assertEqual(["b", "broken"], second.split()[:2])
        self.assertIn("There is\\nno time zone", second)

    def test_are_listed_for_programs(self):
        """With everything but the context, in one query."""
        make("0 9 * * *", overlap="skip")
        with self.assertNumQueries(1):
            (found,) = answer("schedules")

        self.assertEqual(
            ("s", "0 9 * * *", "UTC", "skip"), tuple(found[key] for key in ("name", "cron", "timezone", "overlap"))
        )
        self.assertEqual((False, ""), (found["is_edited"], found["error"]))

    def test_may_not_exist(self):
        """A sentence for people, an empty array for programs."""
        self.assertEqual("There are no schedules.\n", durable("schedules"))
        self.assertEqual([], answer("schedules"))

    def test_can_be_some_of_them(self):
        """Those that are named; an unknown name is an error, with the nearest one."""
        make(name="nightly")
        make(name="hourly")

        self.assertEqual(["nightly"], [row["name"] for row in answer("schedules", "nightly")])
        with self.assertRaisesMessage(CommandError, "There is no schedule 'nihgtly'. Did you mean 'nightly'?"):
            durable("schedules", "nihgtly", "--pause")


class AnOperator(ScheduleTestCase):
    def setUp(self):
        super().setUp()
        make(name="s")
        make(name="other")

    def test_pauses_and_resumes_schedules(self):
        """Those that are named, and no other."""
        self.assertEqual("1 schedule paused.\n", durable("schedules", "s", "--pause"))
        self.assertEqual(["s"], list(Schedule.objects.paused().values_list("name", flat=True)))
        self.assertEqual({"paused": 1}, answer("schedules", "s", "other", "--pause"))
        self.assertEqual({"resumed": 2}, answer("schedules", "s", "other", "--resume"))
        self.assertEqual("0 schedules reverted.\n", durable("schedules", "s", "--revert"))

    def test_triggers_schedules(self):
        """Once, now; the ids of the workflows are the answer."""
        (workflow_id,) = durable("schedules", "s", "--trigger").split()
        (another,) = answer("schedules", "s", "--trigger")["triggered"]

        self.assertEqual({workflow_id, another}, set(Workflow.objects.values_list("pk", flat=True)))

    def test_must_say_which(self):
        """A verb without names would change all of them."""
        for verb in ("--pause", "--resume", "--revert", "--trigger"):
            with self.assertRaisesMessage(CommandError, "Say which schedules to") as caught:
                durable("schedules", verb)
            self.assertEqual(2, caught.exception.returncode)
        self.assertFalse(Schedule.objects.paused().exists())

    def test_hears_why_not(self):
        """A schedule whose code is not here cannot be triggered."""
        Schedule.objects.filter(name="s").write(workflow="gone.away")

        with self.assertRaisesMessage(CommandError, "No workflow is named 'gone.away'"):
            durable("schedules", "s", "--trigger")


class ABackfill(ScheduleTestCase):
    HOURS = ("--backfill", "2031-05-01T12:00Z", "2031-05-01T15:00Z")

    def setUp(self):
        super().setUp()
        make(name="s")
        travelled = at(days=1)
        travelled.__enter__()
        self.addCleanup(travelled.__exit__, None, None, None)

    def test_can_be_told_before(self):
        """What is missing of the ticks; nothing is started."""
        text = durable("schedules", "s", *self.HOURS, "--dry-run")
        found = answer("schedules", "s", *self.HOURS, "--dry-run")

        self.assertEqual([f"schedule:s:2031-05-01T{hour}:00:00Z" for hour in (12, 13, 14)], text.split())
        self.assertEqual({"would_backfill": text.split()}, found)
        self.assertFalse(Workflow.objects.exists())

    def test_starts_what_is_missing(self):
        """Asked again, nothing."""
        found = answer("schedules", "s", *self.HOURS, "--yes")
        out, err = said("schedules", "s", *self.HOURS, "--yes")

        self.assertEqual(3, len(found["backfilled"]))
        self.assertEqual(3, len(started()))
        self.assertEqual(("", "No tick is missing there.\n"), (out, err))

    def test_is_asked(self):
        """How many there are; where nobody is at a terminal, --yes is needed."""
        with self.assertRaisesMessage(CommandError, "3 ticks are missing. Nobody is there to ask: add --yes to"):
            durable("schedules", "s", *self.HOURS)
        with at_a_terminal("n"), self.assertRaisesMessage(CommandError, "Nothing was changed."):
            said("schedules", "s", *self.HOURS)
        with at_a_terminal("y"):
            out, err = said("schedules", "s", *self.HOURS)

        self.assertIn("3 ticks are missing. Backfill? [y/N] ", err)
        self.assertEqual(3, len(out.split()))

    def test_is_refused_with_what_is_wrong(self):
        """No moments, no schedule, a dry run of something else."""
        for arguments, words in (
            (("s", "--backfill", "yesterday", "today"), "expected a date or time such as 2026-12-24"),
            (("s", "--backfill", "2031-05-01", "2h"), "expected a date or time such as 2026-12-24"),
            (("--backfill", "2031-05-01", "2031-05-02"), "Say which schedules to backfill"),
            (("s", "--pause", "--dry-run"), "--dry-run is for --backfill."),
            (("s", "--pause", "--trigger"), "not allowed with argument"),
        ):
            with self.subTest(arguments=arguments), self.assertRaisesMessage(CommandError, words):
                durable("schedules", *arguments)
