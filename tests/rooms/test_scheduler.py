"""worker/scheduler.py and engine/firing.py: what a look, a tick and an idle second cost; who fires what."""

from datetime import timedelta
from unittest import skipUnless

from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from durable_django.base import clock
from durable_django.base.clock import Now
from durable_django.engine import firing
from durable_django.models import Queue, Schedule, Workflow
from durable_django.worker.looks import look
from durable_django.worker.scheduler import Scheduler
from tests.behaviour.scheduling import ScheduleTestCase, at, hours, make, started
from tests.behaviour.support import elsewhere, statements, summary
from tests.crashes.harness import is_postgresql


class ALook(ScheduleTestCase):
    def test_knows_the_next_schedule(self):
        """In seconds, by the database's clock; None without one that fires."""
        without = look("default", lambda _queue: True).seconds_to_schedule
        schedule = make()
        with at(minutes=30):
            firing.fire("default", schedule.pk)
            found = look("default", lambda _queue: True).seconds_to_schedule
        schedule.pause()
        paused = look("default", lambda _queue: True).seconds_to_schedule

        self.assertEqual((None, None), (without, paused))
        self.assertAlmostEqual(1800, found, delta=30)

    def test_reads_one_row_of_the_index(self):
        """Of a table with many schedules, most of them paused."""
        Schedule.objects.bulk_create(
            Schedule(name=f"s{number}", cron="* * * * *", workflow="a.b", next_at=Now() if number < 10 else None)
            for number in range(2000)
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE durable_django_schedule" if is_postgresql() else "ANALYZE")
        plan = Schedule.objects.planned().values("next_at")[:1].explain()

        self.assertIn("durable_schedule_next", plan)

    def test_at_live_runs_uses_their_index(self):
        """However many have ended."""
        Workflow.objects.bulk_create(
            Workflow(
                id=f"schedule:s:{n}", name="a.b", schedule="s", line=n, arguments="[]", fingerprint="",
                max_recoveries=1, status="succeeded", finished_at=Now(),
            )
            for n in range(2000)
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE durable_django_workflow" if is_postgresql() else "ANALYZE")
        plan = Workflow.objects.live_of_schedule("s").explain()

        self.assertIn("durable_workflow_schedule", plan)


class TheCost(ScheduleTestCase):
    def test_of_a_tick_is_four_statements(self):
        """Find what is due; lock; insert; move. Nothing before the tick."""
        make()
        scheduler = Scheduler("default")
        with at(minutes=30):
            scheduler.fire(-1)
            with statements() as before:
                scheduler.fire(1800.0)
        with at(hours=1), statements() as seen:
            scheduler.fire(0.0)

        self.assertEqual([], before)
        words = [each for each in summary(seen) if each not in {"SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"}]
        self.assertEqual(["SELECT schedule", "SELECT schedule", "INSERT workflow", "UPDATE schedule"], words)

    def test_of_a_schedule_that_must_not_overlap_is_one_more(self):
        """The look for a run that lives."""
        make(overlap="skip")
        with at(hours=1), statements() as seen:
            Scheduler("default").fire(0.0)

        self.assertEqual(5, len([each for each in summary(seen) if each.split()[0] in {"SELECT", "INSERT", "UPDATE"}]))


class TheWait(ScheduleTestCase):
    def setUp(self):
        super().setUp()
        self.scheduler = Scheduler("default")

    def test_ends_with_the_next_tick(self):
        """The loop sleeps no longer than until then."""
        self.scheduler.fire(0.25)
        self.assertEqual(0.25, self.scheduler.seconds_to_next)

    def test_is_short_when_others_have_fired(self):
        """Look again in up to a twentieth of a second; a moment that is past by then is no reason to turn and turn."""
        make()
        with at(hours=1):
            firing.fire("default", Schedule.objects.get().pk)
            self.assertEqual(0, self.scheduler.fire(0.0))
            with statements() as seen:
                self.scheduler.fire(0.0)

        self.assertEqual([], seen)
        self.assertGreater(self.scheduler.seconds_to_next, 0)

    def test_is_none_when_something_was_fired(self):
        """There may be more: twenty schedules in one turn."""
        for number in range(25):
            make(name=f"s{number}")
        with at(hours=1):
            counts = [self.scheduler.fire(0.0) for _turn in range(2)]

        self.assertEqual(([20, 5], 25), (counts, Workflow.objects.count()))


class TwoWorkers(TransactionTestCase):
    def setUp(self):
        Schedule.objects.all().delete()
        Queue.objects.ensure("default")
        self.schedule = make()

    def test_fire_a_tick_once(self):
        """Who comes second finds it fired."""
        with at(hours=1):
            first = firing.fire("default", self.schedule.pk)
            second = elsewhere(lambda: firing.fire("default", self.schedule.pk))

        self.assertEqual((True, False, hours(1)), (first, second, started()))

    @skipUnless(is_postgresql(), "SQLite has one writer: the second one waits")
    def test_do_not_wait_for_each_other(self):
        """A schedule that somebody is firing is passed over, the next one is not."""
        other = make(name="other")
        with at(hours=1), transaction.atomic():
            Schedule.objects.lock_due(self.schedule.pk)
            held, free = elsewhere(lambda: (firing.fire("default", self.schedule.pk), firing.fire("default", other.pk)))

        self.assertEqual((False, True), (held, free))

    def test_tell_only_what_is_committed(self):
        """C9: watermark and workflow are one transaction."""
        with at(hours=1), transaction.atomic():
            firing.fire("default", self.schedule.pk)
            transaction.set_rollback(True)
        with at(hours=1, seconds=1):
            firing.fire("default", self.schedule.pk)

        self.assertEqual(hours(1), started())


class AnInstant(TestCase):
    def test_is_read_as_it_was_written(self):
        """To the millisecond, on both databases."""
        moment = clock.instant(2_000_000_000.123)
        Schedule.objects.bulk_create([Schedule(name="i", cron="x", workflow="a.b", fired_until=moment)])
        seconds = Schedule.objects.filter(name="i").values_list(clock.Epoch("fired_until"), flat=True).get()

        self.assertEqual(moment, clock.instant(seconds))
        self.assertEqual(timedelta(0), clock.instant(seconds).utcoffset())
