"""@schedule: what the code declares becomes rows; an operator's edit wins, and what is declared no more retires."""

from datetime import timedelta
from unittest import mock

from django.test import SimpleTestCase, override_settings

from durable_django import RegistrationError, schedule, workflow
from durable_django.base import timetable
from durable_django.base.timetable import Timetable
from durable_django.models import Schedule
from durable_django.testing import fire_schedules
from durable_django.worker import boot
from tests.behaviour.scheduling import NOON, ScheduleTestCase, at, make, started
from tests.rooms.test_migrating import migrated
from tests.sample.scheduled import needs_an_order, takes_both, takes_nothing

DAY = timedelta(days=1)


def declaring(*declarations):
    """Let the code declare these schedules, and no other, while the block runs: (workflow, cron, options) each."""
    code = Timetable()
    with mock.patch.object(timetable, "schedules", code):
        for definition, cron, options in declarations:
            schedule(cron, **options)(definition)
    return mock.patch.object(timetable, "schedules", code)


def boots(*declarations):
    """Let a worker boot whose code declares these."""
    with declaring(*declarations):
        boot.sync_schedules("default")


class ADeclaration(ScheduleTestCase):
    def test_becomes_a_row_when_a_worker_boots(self):
        """With the name of the workflow and the project's zone, unless it says otherwise."""
        boots(
            (takes_nothing, "0 2 * * *", {}),
            (
                takes_both,
                "* * * * * *",
                {
                    "name": "often", "timezone": "Asia/Tokyo", "queue": "scheduled", "catch_up": "all",
                    "overlap": "queue", "jitter": timedelta(minutes=1),
                },
            ),
        )  # fmt: skip

        plain, often = Schedule.objects.order_by("-name")
        self.assertEqual(("sample.takes_nothing", "sample.takes_nothing"), (plain.name, plain.workflow))
        self.assertEqual(
            ("0 2 * * *", "Europe/Berlin", "", "latest", "allow", 0),
            (plain.cron, plain.timezone, plain.queue, plain.catch_up, plain.overlap, plain.jitter_seconds),
        )
        self.assertEqual(
            ("* * * * * *", "Asia/Tokyo", "scheduled", "all", "queue", 60),
            (often.cron, often.timezone, often.queue, often.catch_up, often.overlap, often.jitter_seconds),
        )
        self.assertFalse(plain.is_edited or often.is_edited)

    def test_leaves_the_workflow_as_it_is(self):
        """Several may stand above one; each needs a name then."""
        with declaring():
            self.assertIs(takes_nothing, schedule("0 2 * * *")(schedule("0 14 * * *", name="noon")(takes_nothing)))
            self.assertEqual({"sample.takes_nothing", "noon"}, set(timetable.schedules.by_name()))
            self.assertEqual([], timetable.schedules.clashes())

    def test_fires(self):
        """Its ticks count from the moment on at which the row was made."""
        boots((takes_nothing, "0 2 * * *", {"name": "s", "timezone": "UTC"}))
        with at(NOON):
            fired = fire_schedules("s")

        self.assertEqual(["schedule:s:2031-05-01T02:00:00Z"], fired)

    def test_is_synced_by_one_query_if_nothing_is_new(self):
        """However many workers boot."""
        boots((takes_nothing, "0 2 * * *", {}))
        with self.assertNumQueries(1):
            boots((takes_nothing, "0 2 * * *", {}))

    def test_that_changes_wins_over_earlier_ones(self):
        """The worker that boots last has the word."""
        boots((takes_nothing, "0 2 * * *", {"name": "s"}))
        boots((takes_both, "0 3 * * *", {"name": "s", "overlap": "skip"}))

        row = Schedule.objects.get()
        self.assertEqual(("0 3 * * *", "sample.takes_both", "skip"), (row.cron, row.workflow, row.overlap))
        self.assertFalse(row.is_edited)


class AnOperatorsEdit(ScheduleTestCase):
    def setUp(self):
        super().setUp()
        boots((takes_nothing, "0 2 * * *", {"name": "s", "timezone": "UTC"}))
        self.row = Schedule.objects.get()
        self.row.cron = "0 4 * * *"
        self.row.save()

    def test_is_marked(self):
        """The row is not what the code says."""
        self.assertTrue(self.row.is_edited)

    def test_wins_over_every_boot(self):
        """Of the old code, and of code that says something else; what was not edited follows the code."""
        boots((takes_nothing, "0 2 * * *", {"name": "s", "timezone": "UTC"}))
        boots((takes_nothing, "0 3 * * *", {"name": "s", "timezone": "UTC", "overlap": "queue"}))

        self.row.refresh_from_db()
        self.assertEqual(("0 4 * * *", "queue", True), (self.row.cron, self.row.overlap, self.row.is_edited))

    def test_holds_until_it_is_reverted(self):
        """To what the code declared last."""
        boots((takes_nothing, "0 3 * * *", {"name": "s", "timezone": "UTC"}))
        self.row.refresh_from_db()
        reverted = self.row.revert()

        self.assertEqual((True, "0 3 * * *", False), (reverted, self.row.cron, self.row.is_edited))
        self.assertFalse(self.row.revert())

    def test_that_comes_to_be_the_codes_own_is_none(self):
        """The code has caught up with it."""
        boots((takes_nothing, "0 4 * * *", {"name": "s", "timezone": "UTC"}))
        self.row.refresh_from_db()

        self.assertFalse(self.row.is_edited)

    def test_of_a_pause_survives_a_boot(self):
        """A paused schedule stays paused."""
        self.row.pause()
        boots((takes_nothing, "0 3 * * *", {"name": "s", "timezone": "UTC", "overlap": "queue"}))
        self.row.refresh_from_db()

        self.assertEqual((True, None), (self.row.is_paused, self.row.next_at))

    def test_of_a_row_made_by_hand_is_the_whole_row(self):
        """Code that comes to declare its name does not overwrite it."""
        make("0 6 * * *", name="t")
        boots((takes_both, "0 3 * * *", {"name": "t"}))

        row = Schedule.objects.get(name="t")
        self.assertEqual(("0 6 * * *", "sample.takes_nothing", True), (row.cron, row.workflow, row.is_edited))


class OldAndNewCode(ScheduleTestCase):
    OLD = (takes_nothing, "0 * * * *", {"name": "s", "timezone": "UTC", "catch_up": "all"})
    NEW = (takes_nothing, "30 * * * *", {"name": "s", "timezone": "UTC", "catch_up": "all"})

    def test_fire_each_tick_once_while_both_run(self):
        """Whoever boots, and whoever fires: each tick of what holds at its time starts once, and none is lost."""
        with at(hours=0):
            boots(self.OLD)
        for hour in range(1, 7):
            with at(hours=hour, seconds=1):
                # Before a boot of the new code the old text's full hour is due; that of the old code finds nothing due.
                boots(self.NEW if hour % 2 else self.OLD)
                fire_schedules("s")
            with at(hours=hour, minutes=30, seconds=1):
                fire_schedules("s")

        self.assertEqual(["13:00", "13:30", "15:00", "15:30", "17:00", "17:30"], [each[11:16] for each in started()])


class ADeclarationThatIsGone(ScheduleTestCase):
    def setUp(self):
        super().setUp()
        boots((takes_nothing, "0 2 * * *", {"name": "s", "timezone": "UTC"}))

    def test_goes_on_while_workers_boot(self):
        """Old code may still run: a worker retires nothing."""
        boots()
        self.assertFalse(Schedule.objects.get().is_retired)

    def test_is_retired_by_migrate(self):
        """The row stays, with its runs, and fires no more."""
        with declaring():
            migrated()
        with at(NOON):
            fired = fire_schedules("s")

        row = Schedule.objects.get()
        self.assertEqual(([], True, None), (fired, row.is_retired, row.next_at))

    def test_comes_back_with_its_declaration(self):
        """And owes nothing for the time between."""
        with declaring():
            migrated()
        with at(NOON):
            boots((takes_nothing, "0 2 * * *", {"name": "s", "timezone": "UTC"}))
            before = fire_schedules("s")
        with at(NOON + DAY):
            after = fire_schedules("s")

        self.assertEqual(([], ["schedule:s:2031-05-02T02:00:00Z"]), (before, after))

    def test_does_not_retire_rows_made_by_hand(self):
        """No code ever declared them."""
        make(name="t")
        with declaring():
            migrated()
        self.assertFalse(Schedule.objects.get(name="t").is_retired)

    @override_settings(DURABLE_DJANGO={"APPLICATION": "other"})
    def test_is_retired_by_its_own_application_alone(self):
        """Several projects may share the tables."""
        with declaring():
            migrated()
        self.assertFalse(Schedule.objects.get().is_retired)


class TheSameNameInTwoProjects(ScheduleTestCase):
    def boots_as(self, application, *declarations):
        with override_settings(DURABLE_DJANGO={"APPLICATION": application}):
            boots(*declarations)
        return Schedule.objects.get(name="nightly")

    def test_is_the_schedule_of_the_first(self):
        """The code of the other one changes nothing of it, and goes on to declare what is its own."""
        self.boots_as("bakery", (takes_nothing, "0 2 * * *", {"name": "nightly"}))
        florist = [(takes_both, "0 3 * * *", {"name": "nightly"}), (takes_both, "0 4 * * *", {"name": "dawn"})]

        row = self.boots_as("florist", *florist)

        self.assertEqual(("sample.takes_nothing", "0 2 * * *", "bakery"), (row.workflow, row.cron, row.application))
        self.assertEqual("florist", Schedule.objects.get(name="dawn").application)

    def test_is_free_when_the_first_has_retired_it(self):
        """Then the other one has it, and fires what comes from now on."""
        self.boots_as("bakery", (takes_nothing, "0 2 * * *", {"name": "nightly"}))
        Schedule.objects.retire([], "bakery")

        row = self.boots_as("florist", (takes_both, "0 3 * * *", {"name": "nightly"}))

        self.assertEqual(("0 3 * * *", "florist", False), (row.cron, row.application, row.is_retired))

    def test_without_a_label_is_that_of_who_declares_it(self):
        """A project that gets a label keeps its schedules."""
        self.boots_as("", (takes_nothing, "0 2 * * *", {"name": "nightly"}))

        row = self.boots_as("bakery", (takes_nothing, "0 2 * * *", {"name": "nightly"}))

        self.assertEqual(("0 2 * * *", "bakery"), (row.cron, row.application))


class WhatCouldNeverFire(SimpleTestCase):
    def refused(self, definition, *args, **options):
        with self.assertRaises(RegistrationError) as caught, declaring():
            schedule(*args, **options)(definition)
        return str(caught.exception)

    def test_is_refused_at_import(self):
        """With the reason and the way out."""
        self.assertIn("never fires", self.refused(takes_nothing, "0 0 30 2 *"))
        self.assertIn("five fields", self.refused(takes_nothing, "daily"))
        self.assertIn("There is no time zone 'Nowhere'", self.refused(takes_nothing, "* * * * *", timezone="Nowhere"))
        self.assertIn("catch_up", self.refused(takes_nothing, "* * * * *", catch_up="some"))
        self.assertIn("overlap", self.refused(takes_nothing, "* * * * *", overlap="never"))
        self.assertIn("jitter", self.refused(takes_nothing, "* * * * *", jitter=-1))
        self.assertIn("at most a day", self.refused(takes_nothing, "* * * * *", jitter=timedelta(days=2)))
        self.assertIn("name", self.refused(takes_nothing, "* * * * *", name=" "))
        self.assertIn("needs order, which a schedule cannot give", self.refused(needs_an_order, "* * * * *"))

    def test_below_workflow_is_refused(self):
        """The order of decorators: the schedule on top."""

        def job() -> None:
            """Be no workflow yet."""

        self.assertIn("stands above @workflow", self.refused(job, "* * * * *"))
        self.assertIn("stands above @workflow", self.refused(workflow, "* * * * *"))
