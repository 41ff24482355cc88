"""A schedule that cannot fire says why in its row, harms no other, and fires once what was wrong is mended."""

from datetime import timedelta
from unittest import mock

from django.db import OperationalError

from durable_django.base import registry
from durable_django.engine import firing, starting
from durable_django.models import Schedule, Workflow
from durable_django.testing import fire_schedules
from durable_django.worker.looks import look
from durable_django.worker.scheduler import Scheduler
from tests.behaviour.scheduling import NOON, ScheduleTestCase, at, hours, make, started


class ABrokenSchedule(ScheduleTestCase):
    def broken_by(self, **columns):
        """Break schedule "s" behind our back, let a worker fire it beside a sound one, and return its error."""
        make()
        Schedule.objects.write(**columns)
        make(name="sound")
        with at(hours=1):
            Scheduler("default").fire(-1)
            self.assertEqual(hours(1), started("sound"))
            self.assertEqual([], started())
            row = Schedule.objects.get(name="s")
            seconds = Schedule.objects.filter(name="s").now()
        self.assertAlmostEqual(15, (row.next_at - seconds).total_seconds(), delta=10)
        self.assertEqual(NOON, row.fired_until)
        return row.error

    def test_says_why(self):
        """C11: whatever is wrong; it is tried again a little later."""
        faults = (
            ({"cron": "0 0 30 2 *"}, "never fires"),
            ({"cron": "often"}, "five fields"),
            ({"timezone": "Nowhere"}, "There is no time zone 'Nowhere'"),
            ({"encoded_context": "{", "workflow": "sample.takes_both"}, "is not JSON"),
            ({"encoded_context": '{"$py": "nothing", "v": 1}', "workflow": "sample.takes_both"}, "UnreadablePayload"),
            ({"encoded_context": "5"}, "does not take these arguments"),
            ({"workflow": "sample.needs_an_order"}, "does not take these arguments"),
            ({"queue": "nowhere"}, "Queue 'nowhere' is not declared"),
        )
        for columns, reason in faults:
            with self.subTest(reason):
                Schedule.objects.all().delete()
                Workflow._base_manager.all().delete()
                self.assertIn(reason, self.broken_by(**columns))

    def test_fires_once_it_is_mended(self):
        """What it owes since, by its rule for catching up; the error is gone."""
        make()
        Schedule.objects.write(timezone="Nowhere")
        with at(hours=1):
            firing.fire("default", Schedule.objects.get().pk)
        Schedule.objects.write(timezone="UTC")
        with at(hours=3):
            firing.fire("default", Schedule.objects.get().pk)

        self.assertEqual((hours(3), ""), (started(), Schedule.objects.get().error))

    def test_is_told_of_once(self):
        """Not every time it is tried."""
        schedule = make()
        Schedule.objects.write(timezone="Nowhere")
        with self.assertLogs("durable_django.schedule", "WARNING") as logs:
            for minutes in range(3):
                with at(hours=1, minutes=minutes):
                    firing.fire("default", schedule.pk)

        self.assertEqual(1, len(logs.output))
        self.assertIn("s: cannot fire, tried again every 15 s. ValueError: There is no time zone", logs.output[0])

    def test_leaves_nothing_of_a_tick_that_failed(self):
        """C9: the workflows that were started before the error go with the watermark."""
        make(catch_up="all")
        start, calls = starting.start, []

        def fail_at_the_third(*args, **kwargs):
            calls.append(1)
            if len(calls) == 3:
                raise ValueError("the third")
            return start(*args, **kwargs)

        with mock.patch.object(starting, "start", fail_at_the_third), at(hours=5):
            firing.fire("default", Schedule.objects.get().pk)
        self.assertEqual(([], NOON), (started(), Schedule.objects.get().fired_until))
        with at(hours=5, minutes=1):
            fire_schedules("s")
        self.assertEqual(hours(1, 2, 3, 4, 5), started())

    def test_is_not_the_one_whose_database_is_away(self):
        """That is nobody's fault: the loop rests, and the row says nothing."""
        schedule = make()
        away = mock.patch.object(starting, "start", side_effect=OperationalError("gone"))
        with away, at(hours=1), self.assertRaises(OperationalError):
            firing.fire("default", schedule.pk)

        self.assertEqual("", Schedule.objects.get().error)


class AScheduleOfUnknownCode(ScheduleTestCase):
    def setUp(self):
        super().setUp()
        make(workflow="elsewhere.job")
        Schedule.objects.write(next_at=NOON + timedelta(hours=1))
        self.scheduler = Scheduler("default")

    def turn(self):
        """Look and fire, as a worker does. Return the seconds it waits then."""
        self.scheduler._again_at = 0.0
        self.scheduler.fire(look("default", lambda _queue: True).seconds_to_schedule)
        return self.scheduler.seconds_to_next

    def test_is_left_to_workers_that_know_it(self):
        """Only they know what it takes; others do not look again before the next poll."""
        with at(hours=1):
            seconds = self.turn()

        row = Schedule.objects.get()
        self.assertEqual((0, NOON, ""), (Workflow.objects.count(), row.fired_until, row.error))
        self.assertEqual(1.0, seconds)

    def test_does_not_hide_others(self):
        """Their next tick is known all the same."""
        make("* * * * * *", name="t")
        with at(hours=1):
            self.turn()
            seconds = self.turn()

        self.assertLessEqual(seconds, 1.0)
        self.assertEqual(1, len([each for each in started("t") if each == hours(1)[0]]))

    def test_says_so_when_it_is_long_due(self):
        """Somebody may have forgotten a deploy, or misspelled a name."""
        with at(hours=1, minutes=2):
            self.turn()
        self.assertEqual("No worker that runs now knows its workflow.", Schedule.objects.get().error)

    def test_fires_where_it_is_known(self):
        """At once, and by its rule for catching up; the error is gone."""
        with at(hours=1, minutes=2):
            self.turn()
        knows_it = mock.patch.dict(
            registry.workflows._by_name, {"elsewhere.job": registry.workflows.get("sample.takes_nothing")}
        )
        with knows_it, at(hours=2):
            self.turn()

        self.assertEqual((hours(2), ""), (started(), Schedule.objects.get().error))
