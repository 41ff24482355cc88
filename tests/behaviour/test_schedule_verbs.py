"""What operators do with schedules: pause, resume, edit, trigger, backfill; and what is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from durable_django import OutsideWorkflow, UnknownWorkflow, get_handle, send
from durable_django.exceptions import NotSerializable
from durable_django.models import Queue as QueueRow
from durable_django.models import Schedule, Workflow
from durable_django.testing import crash_after, fire_schedules, run_until_idle, travel
from tests.behaviour.scheduling import NOON, ScheduleTestCase, at, hours, make, started
from tests.sample.scheduled import (
    needs_an_order,
    note,
    operates,
    operates_in_a_loop,
    scheduled_queue,
    takes_both,
    trigger,
    triggers,
)

HOUR = timedelta(hours=1)


class APausedSchedule(ScheduleTestCase):
    def test_fires_nothing(self):
        """Until it is resumed."""
        schedule = make()
        self.assertEqual((True, False), (schedule.pause(), schedule.pause()))
        with at(hours=5):
            fired = fire_schedules("s")

        self.assertEqual(([], True, None), (fired, schedule.is_paused, schedule.next_at))

    def test_that_was_paused_behind_our_back_fires_nothing(self):
        """By SQL, or by any other hand."""
        schedule = make()
        Schedule.objects.write(is_paused=True)
        with at(hours=5):
            fired = fire_schedules("s")

        schedule.refresh_from_db()
        self.assertEqual(([], None), (fired, schedule.next_at))

    def test_is_let_go_on_by_whatever_says_so(self):
        """By a column that is saved or updated, as by the verb."""
        schedule = make(is_paused=True)
        schedule.is_paused = False
        schedule.save()
        saved = schedule.next_at
        schedule.pause()
        Schedule.objects.update(is_paused=False)
        schedule.refresh_from_db()

        self.assertTrue(saved and schedule.next_at)

    def resumed_after_five_hours(self, **columns):
        schedule = make(**columns)
        schedule.pause()
        with at(hours=5, seconds=2):
            self.assertTrue(schedule.resume())
            fire_schedules("s")
        with at(hours=6):
            fire_schedules("s")
        return started()

    def test_fires_the_latest_missed_tick_when_it_is_resumed(self):
        """The ticks of the pause are missed ones; catch_up says what becomes of them."""
        self.assertEqual(hours(5, 6), self.resumed_after_five_hours())

    def test_fires_none_of_the_pause_if_it_skips(self):
        """Not even one that came two seconds before."""
        self.assertEqual(hours(6), self.resumed_after_five_hours(catch_up="skip"))

    def test_fires_each_of_the_pause_if_it_is_to_catch_up_with_all(self):
        """In order."""
        self.assertEqual(hours(*range(1, 7)), self.resumed_after_five_hours(catch_up="all"))

    def test_is_one_of_many(self):
        """The verbs of a queryset tell how many they changed."""
        for name in "abc":
            make(name=name)
        rows = Schedule.objects.exclude(name="c")

        self.assertEqual([2, 0, 2, 0], [rows.pause(), rows.pause(), rows.resume(), rows.resume()])
        self.assertEqual(3, Schedule.objects.firing().count())


class AnEdit(ScheduleTestCase):
    def test_of_the_text_counts_from_now_on(self):
        """A daily schedule that becomes one of each minute owes nothing for the hours before."""
        schedule = make("30 11 * * *")
        with at(hours=5, minutes=10, seconds=30):
            schedule.cron = "*/5 * * * *"
            schedule.save()
            fire_schedules("s")
        with at(hours=5, minutes=15):
            fire_schedules("s")

        self.assertEqual(["2031-05-01T17:15:00Z"], started())

    def test_fires_first_what_is_due_of_the_old_text(self):
        """Whichever comes first, a worker or the edit: the tick is fired."""
        schedule = make()
        with at(hours=1, seconds=2):
            schedule.cron = "30 * * * *"
            schedule.save()
            fire_schedules("s")
        with at(hours=1, minutes=30):
            fire_schedules("s")

        self.assertEqual([*hours(1), "2031-05-01T13:30:00Z"], started())

    def test_by_update_does_the_same(self):
        """Schedule.objects.update() is no way around it."""
        make()
        with at(hours=1, seconds=2):
            Schedule.objects.filter(name="s").update(cron="30 * * * *", context={"a": 1}, workflow="sample.takes_both")
            fire_schedules("s")
        with at(hours=1, minutes=30):
            fire_schedules("s")
            run_until_idle()

        self.assertEqual([*hours(1), "2031-05-01T13:30:00Z"], started())
        self.assertEqual({"a": 1}, get_handle("schedule:s:2031-05-01T13:30:00Z").result()[1])

    def test_of_something_else_keeps_the_watermark(self):
        """A due tick is fired, as the schedule says now."""
        schedule = make()
        with at(hours=1, seconds=2):
            schedule.queue = "scheduled"
            schedule.save()
            fire_schedules("s")

        self.assertEqual((hours(1), "scheduled"), (started(), Workflow.objects.get().queue))

    def test_of_a_stale_row_moves_no_watermark(self):
        """Workers have fired meanwhile."""
        stale = make()
        with at(hours=1, seconds=2):
            fire_schedules("s")
            stale.overlap = "skip"
            stale.save()
            again = fire_schedules("s")

        self.assertEqual(([], NOON + HOUR), (again, Schedule.objects.get().fired_until))

    def test_mends_a_broken_schedule(self):
        """The error is gone, and it fires."""
        schedule = make()
        Schedule.objects.write(error="it was broken", next_at=None)
        schedule.refresh_from_db()
        schedule.cron = "0 * * * *"
        schedule.save()

        self.assertEqual("", schedule.error)
        self.assertIsNotNone(schedule.next_at)


class ATrigger(ScheduleTestCase):
    def test_starts_the_workflow_now(self):
        """Beside its ticks, whether it is paused or not; the run is linked to the schedule."""
        schedule = make(workflow=takes_both, context="now", is_paused=True)
        first, second = schedule.trigger(), schedule.trigger()
        run_until_idle()

        self.assertTrue(first.startswith("schedule:s:trigger:"))
        self.assertEqual(("now", 2), (get_handle(first).result()[1], len({first, second})))
        self.assertEqual(2, Workflow.objects.of_schedule("s").count())
        self.assertEqual(NOON, Schedule.objects.get().fired_until)

    def test_has_room_for_the_longest_name(self):
        """One whose ticks have just room for theirs; two triggers are two all the same."""
        schedule = make(name="s" * 225)
        found = {schedule.trigger(), schedule.trigger()}

        self.assertEqual({255}, {len(workflow_id) for workflow_id in found})
        self.assertEqual(found, set(Workflow.objects.of_schedule(schedule.name).values_list("pk", flat=True)))

    def test_of_many_counts_them(self):
        """All or none."""
        make(name="a")
        make(name="b")
        self.assertEqual((2, 2), (Schedule.objects.trigger(), Workflow.objects.count()))

    def test_belongs_to_the_callers_transaction(self):
        """A rollback leaves nothing."""
        schedule = make()
        with transaction.atomic():
            schedule.trigger()
            transaction.set_rollback(True)
        self.assertEqual(0, Workflow.objects.count())

    def test_needs_the_code(self):
        """Of a workflow that is not loaded here nobody knows what it takes."""
        schedule = make(workflow="elsewhere.job")
        with self.assertRaises(UnknownWorkflow):
            schedule.trigger()

    def test_in_a_step_happens_once(self):
        """Also if the step is run again, since the id derives from its place."""
        make()
        handle = triggers.start("s")
        with crash_after(trigger, recorded=False):
            run_until_idle()
        run_until_idle()

        self.assertEqual(handle.result(), Workflow.objects.of_schedule("s").get().pk)


class AWorkflowThatOperates(ScheduleTestCase):
    def test_does_each_verb_once(self):
        """A replay answers them from their rows: what an operator has done meanwhile stays."""
        schedule = make(fired_until=NOON - 5 * HOUR, next_at=NOON)
        handle = operates.start("s", NOON - 3 * HOUR, NOON - HOUR)
        with at(minutes=1):
            run_until_idle()
            runs = list(Workflow.objects.of_schedule("s").values_list("pk", flat=True))
            schedule.resume()
            scheduled_queue.resume()
            send(handle.id, None, topic="go on")
            with crash_after(note):
                run_until_idle()
            run_until_idle()

        trigger_id, *others = handle.result()
        expected = [f"schedule:s:2031-05-01T{hour:02}:00:00Z" for hour in (9, 10)]
        self.assertEqual([expected, True, True, True], others)
        self.assertEqual(sorted([trigger_id, *expected]), sorted(runs))
        self.assertEqual(3, Workflow.objects.of_schedule("s").count())
        self.assertEqual(
            (False, False), (Schedule.objects.get().is_paused, QueueRow.objects.get(pk="scheduled").is_paused)
        )

    def test_shows_them_as_steps(self):
        """By their names, in its history."""
        make()
        handle = operates.start("s", NOON, NOON)
        run_until_idle()

        names = handle.workflow.steps.order_by("position").values_list("name", flat=True)
        self.assertEqual(["trigger", "backfill", "pause", "resume", "pause", "pause", "receive go on"], list(names))

    def test_is_told_to_use_a_step_in_an_event_loop(self):
        """Where a direct call would hold up all others."""
        make()
        handle = operates_in_a_loop.start()
        run_until_idle()
        with self.assertRaisesMessage(OutsideWorkflow, "put it into a step"):
            handle.result()
        self.assertFalse(Schedule.objects.get().is_paused)


class ABackfill(ScheduleTestCase):
    def test_starts_what_is_missing(self):
        """From the beginning until before the end; what was fired is not fired again."""
        schedule = make(catch_up="skip")
        with at(hours=2):
            fire_schedules("s")
        with at(hours=9):
            found = schedule.backfill(NOON + HOUR, NOON + 5 * HOUR)
            again = schedule.backfill(NOON + HOUR, NOON + 5 * HOUR)

        self.assertEqual([f"schedule:s:{hour}" for hour in hours(1, 3, 4)], found)
        self.assertEqual(([], hours(1, 2, 3, 4)), (again, started()))

    def test_only_looks_in_a_dry_run(self):
        """The same answer, and nothing is started."""
        schedule = make()
        with at(hours=9):
            dry = schedule.backfill(NOON, NOON + 5 * HOUR, dry_run=True)
            before = Workflow.objects.count()
            wet = schedule.backfill(NOON, NOON + 5 * HOUR)

        self.assertEqual((5, 0, dry), (len(dry), before, wet))

    def test_leaves_out_what_has_not_come_yet(self):
        """Ticks to come are for the workers."""
        schedule = make()
        with at(hours=2, minutes=30):
            found = schedule.backfill(NOON + HOUR, NOON + 50 * HOUR)

        self.assertEqual(hours(1, 2), [each.removeprefix("schedule:s:") for each in found])

    def test_gives_each_its_moment(self):
        """As if it had been fired then."""
        schedule = make(workflow=takes_both)
        with at(hours=9):
            (found,) = schedule.backfill(NOON + HOUR, NOON + 2 * HOUR)
            run_until_idle()

        self.assertEqual(NOON + HOUR, get_handle(found).result()[0])

    def test_of_many_counts_the_workflows(self):
        """Of all of them."""
        make(name="a")
        make(name="b", cron="30 * * * *")
        with at(hours=9):
            self.assertEqual(4, Schedule.objects.backfill(NOON + HOUR, NOON + 3 * HOUR, dry_run=True))

    def test_is_bounded(self):
        """Ten thousand ticks at a time; nothing is started of more."""
        schedule = make("* * * * * *")
        with at(hours=9), self.assertRaisesMessage(ValueError, "more than 10000 ticks"):
            schedule.backfill(NOON, NOON + 5 * HOUR)
        self.assertEqual(0, Workflow.objects.count())

    def test_needs_moments_in_a_zone(self):
        """Under USE_TZ a naive one means nothing."""
        schedule = make()
        with self.assertRaisesMessage(ValueError, "start must be an aware datetime"):
            schedule.backfill(datetime(2031, 5, 1), NOON)
        with self.assertRaisesMessage(TypeError, "end must be a datetime"):
            schedule.backfill(NOON, "tomorrow")

    def test_needs_moments_that_exist_in_every_zone(self):
        """An early one has no moment before it; of a late one nothing has come."""
        schedule = make()
        first, last = (each.replace(tzinfo=UTC) for each in (datetime.min, datetime.max))
        with self.assertRaisesMessage(ValueError, "start must lie between the years 2 and 9998"):
            schedule.backfill(first, NOON)
        with self.assertRaisesMessage(ValueError, "end must lie between the years 2 and 9998"):
            schedule.backfill(NOON, last)
        self.assertEqual([], schedule.backfill(last.replace(year=9998), NOON))


class WhatCouldNeverFire(ScheduleTestCase):
    def refused(self, **columns):
        with self.assertRaises(ValidationError) as caught:
            make(**columns)
        return {column: messages[0] for column, messages in caught.exception.message_dict.items()}

    def test_is_refused_when_it_is_stored(self):
        """C11: by column, as forms show it."""
        self.assertIn("never fires", self.refused(cron="0 0 30 2 *")["cron"])
        self.assertIn("five fields", self.refused(cron="often")["cron"])
        self.assertIn("There is no time zone", self.refused(timezone="Nowhere")["timezone"])
        self.assertIn("skip, latest, all", self.refused(catch_up="some")["catch_up"])
        self.assertIn("allow, skip, queue", self.refused(overlap="never")["overlap"])
        self.assertIn("is not declared", self.refused(queue="nowhere")["queue"])
        self.assertIn("needs order", self.refused(workflow=needs_an_order)["workflow"])
        self.assertIn("takes no context", self.refused(context=5)["workflow"])
        self.assertIn("control character", self.refused(name="a\nb")["name"])
        self.assertIn("characters", self.refused(name="a" * 250)["name"])
        for seconds in (-1, float("nan"), 1e9, True, "5"):
            self.assertIn("jitter_seconds", self.refused(jitter_seconds=seconds))
        self.assertEqual(0, Schedule.objects.count())

    def test_is_refused_when_it_is_edited(self):
        """What fired well goes on."""
        schedule = make()
        schedule.cron = "x"
        with self.assertRaises(ValidationError):
            schedule.save()
        self.assertEqual("0 * * * *", Schedule.objects.get().cron)

    def test_needs_a_context_that_can_be_stored(self):
        """As every value."""
        with self.assertRaises(NotSerializable):
            make(workflow=takes_both, context=object())

    def test_needs_a_name_of_its_own(self):
        """The name makes the ids."""
        make()
        with self.assertRaises(IntegrityError), transaction.atomic():
            make()

    def test_may_be_of_code_that_runs_elsewhere(self):
        """Whose arguments and queues are not known here."""
        make(workflow="elsewhere.job", queue="theirs")


class ABareSchedule(ScheduleTestCase):
    def test_needs_name_text_and_workflow(self):
        """Everything else has a default: the project's zone, its ticks count from now on."""
        schedule = Schedule.objects.create(name="s", cron="0 9 * * *", workflow="sample.takes_nothing")
        fire_schedules("s")
        schedule.refresh_from_db()

        self.assertEqual(("Europe/Berlin", "latest", "allow"), (schedule.timezone, schedule.catch_up, schedule.overlap))
        self.assertEqual([schedule.next_at], schedule.next_ticks(1))
        self.assertEqual(9, schedule.next_at.astimezone(ZoneInfo("Europe/Berlin")).hour)

    def test_made_by_sql_fires_too(self):
        """Moments that an INSERT leaves out are given by the database."""
        Schedule.objects.bulk_create([Schedule(name="s", cron="* * * * *", workflow="sample.takes_nothing")])
        with travel(seconds=61):
            fired = fire_schedules("s")

        self.assertEqual(1, len(fired))
