"""Sleep: a moment that is recorded once, by the database's clock; until then nobody holds anything."""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from unittest import mock

from django.db import transaction
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

import durable_django as durable
from durable_django import InsideTransaction, OutsideWorkflow
from durable_django.models import Step, Workflow
from durable_django.testing import crash_before, run_until_idle, travel
from tests.behaviour.support import acting, labels, row, steps
from tests.sample import talking
from tests.sample.promises import acts, acts_itself
from tests.sample.talking import mark, sleeps, sleeps_until

DAY = 24 * 3600.0


def run_after(seconds=0):
    """Run everything that is due so many seconds from now."""
    with travel(seconds=seconds):
        run_until_idle()


class ASleep(TestCase):
    def test_gives_the_thread_back(self):
        """The workflow waits for time, and belongs to no worker."""
        handle = sleeps.start(100)

        run_after()

        found = row(handle)
        self.assertEqual(("waiting", "time", None), (found.status, found.waiting_for, found.worker))
        self.assertEqual(["before"], labels())

    def test_ends_at_its_moment(self):
        """Not a second earlier."""
        handle = sleeps.start(100)
        run_after()

        run_after(40)
        before = row(handle).status
        run_after(100.1)

        self.assertEqual(("waiting", "after"), (before, handle.result()))
        self.assertEqual(["before", "after"], labels())

    def test_lasts_for_days(self):
        """A number is in seconds; a timedelta is as good."""
        handles = [sleeps.start(duration) for duration in (30 * DAY, timedelta(days=30))]
        run_after()

        run_after(30 * DAY - 3600)
        before = [row(handle).status for handle in handles]
        run_after(30 * DAY + 1)

        self.assertEqual(["waiting"] * 2, before)
        self.assertEqual(["after"] * 2, [handle.result() for handle in handles])

    def test_begins_when_the_workflow_gets_there(self):
        """The second one counts from the end of the first, however late that came."""
        handle = talking.sleeps_in_a_row.start(100, 100)
        run_after()

        run_after(150)
        run_after(190)
        before = labels()
        run_after(251)

        self.assertEqual((["woke-0"], "succeeded"), (before, row(handle).status))

    def test_that_is_long_over_ends_when_a_worker_is_there(self):
        """If none ran at its moment, it goes on as soon as one does."""
        handle = sleeps.start(100)
        run_after()

        run_after(1000 * DAY)

        self.assertEqual("after", handle.result())

    def test_is_one_row_of_the_history(self):
        """It stands there while it lasts, and afterwards with its end."""
        handle = sleeps.start(100)
        run_after()
        waiting = Step.objects.get(workflow=handle.id, name="sleep")
        run_after(101)
        ended = Step.objects.get(workflow=handle.id, name="sleep")

        self.assertEqual(["mark", "sleep", "mark"], steps(handle))
        self.assertEqual(("waiting", "done", "sleep"), (waiting.state, ended.state, ended.kind))
        self.assertAlmostEqual(100, (waiting.next_retry_at - waiting.started_at).total_seconds(), delta=0.1)
        self.assertGreater(ended.finished_at - ended.started_at, timedelta(seconds=100))

    def test_of_a_second_or_less_holds_the_thread(self):
        """It is a step that takes its time; nothing is suspended."""
        handle = talking.sleeps_in_a_row.start(0, 0.01)

        began = time.monotonic()
        run_after()

        self.assertGreaterEqual(time.monotonic() - began, 0.01)
        self.assertEqual(("succeeded", 1), (row(handle).status, row(handle).attempt))
        self.assertEqual(["sleep", "mark"] * 2, steps(handle))

    def test_in_an_async_workflow_is_the_same(self):
        """asleep() suspends, too."""
        handle = talking.sleeps_async.start(100)
        run_after()
        before = row(handle)

        run_after(101)

        self.assertEqual(("waiting", "time"), (before.status, before.waiting_for))
        self.assertEqual("after", handle.result())


class AMoment(TestCase):
    def test_is_slept_until(self):
        """By the database's clock."""
        handle = sleeps_until.start(timezone.now() + timedelta(days=3))
        run_after()

        run_after(2 * DAY)
        before = row(handle).status
        run_after(3 * DAY + 10)

        self.assertEqual(("waiting", "after"), (before, handle.result()))

    def test_that_has_passed_is_no_wait(self):
        """The workflow goes on in the same attempt, and the row says when it was."""
        handles = [sleeps_until.start(timezone.now() - timedelta(seconds=age)) for age in (0.001, 3600, 100 * DAY)]

        run_after()

        self.assertEqual(["after"] * 3, [handle.result() for handle in handles])
        self.assertEqual({1}, {row(handle).attempt for handle in handles})

    def test_that_has_passed_is_none_in_an_async_workflow_either(self):
        """asleep_until() goes on at once."""
        handle = talking.sleeps_until_async.start(timezone.now() - timedelta(days=1))

        run_after()

        self.assertEqual(("after", 1), (handle.result(), row(handle).attempt))

    def test_may_be_given_in_any_zone(self):
        """The instant counts."""
        moment = timezone.now() + timedelta(seconds=100)
        handle = sleeps_until.start(moment.astimezone(timezone.get_fixed_timezone(-660)))
        run_after()

        run_after(40)
        before = row(handle).status
        run_after(101)

        self.assertEqual(("waiting", "after"), (before, handle.result()))

    @override_settings(USE_TZ=False, TIME_ZONE="America/New_York")
    def test_is_local_where_use_tz_is_off(self):
        """C16: a naive moment is taken in the default zone."""
        now = datetime.now()  # noqa: DTZ005 - naive is what is meant
        handle = sleeps_until.start(now + timedelta(seconds=100))
        run_after()

        run_after(40)
        before = row(handle).status
        run_after(101)

        self.assertEqual(("waiting", "after"), (before, handle.result()))


class ASleepThatIsDisturbed(TestCase):
    def setUp(self):
        self.handle = sleeps.start(100)
        run_after()
        self.wakes_at = row(self.handle).run_after

    def test_by_a_lost_worker_is_not_begun_anew(self):
        """C17: an attempt that dies behind it, or is called again in the middle, finds the recorded moment."""
        Workflow.objects.filter(pk=self.handle.id).wake()
        run_after(50)
        again = row(self.handle)
        with crash_before(mark):
            run_after(101)
        run_after(102)

        self.assertEqual(("waiting", self.wakes_at), (again.status, again.run_after))
        self.assertEqual("after", self.handle.result())

    def test_by_a_pause_goes_on(self):
        """Its moment does not move; when it passed in the pause, the workflow goes on at once."""
        row(self.handle).pause()
        run_after(10)
        row(self.handle).resume()
        run_after(20)
        resumed = row(self.handle)
        resumed.pause()
        run_after(101)
        paused = row(self.handle).status
        row(self.handle).resume()
        run_after(101)

        self.assertEqual(("waiting", self.wakes_at), (resumed.status, resumed.run_after))
        self.assertEqual(("paused", "after"), (paused, self.handle.result()))

    def test_by_a_cancellation_ends_at_once(self):
        """Nothing wakes it any more."""
        row(self.handle).cancel()
        run_after(101)

        found = row(self.handle)
        self.assertEqual(("cancelled", None, ""), (found.status, found.run_after, found.waiting_for))
        self.assertEqual(["before"], labels())

    def test_by_a_cancellation_that_is_taken_back_goes_on(self):
        """resume(): it wakes when it would have woken."""
        row(self.handle).cancel()
        row(self.handle).resume()
        run_after(50)
        again = row(self.handle)
        run_after(101)

        self.assertEqual(("waiting", self.wakes_at), (again.status, again.run_after))
        self.assertEqual("after", self.handle.result())

    def test_by_the_clock_of_the_host_does_not_mind(self):
        """The clocks of Python may say what they want: the database decides."""
        in_ten_years = time.time() + 3652 * DAY
        with (
            mock.patch("time.time", lambda: in_ten_years),
            mock.patch("time.time_ns", lambda: int(in_ten_years * 1e9)),
            mock.patch("durable_django.base.clock.wall_now", lambda: timezone.now() + timedelta(days=3652)),
        ):
            run_after(40)
            before = row(self.handle).status
            other = sleeps.start(100)
            run_after()
        run_after(101)

        self.assertEqual("waiting", before)
        self.assertEqual(["after"] * 2, [self.handle.result(), other.result()])


class ASleepBehindAnError(TestCase):
    def test_keeps_the_error_when_it_is_resumed(self):
        """The code went on from there: what had failed is not done again."""
        handle = talking.sleeps_behind_an_error.start(100)
        run_after()
        row(handle).cancel()
        row(handle).resume()
        run_after(50)
        run_after(101)

        self.assertEqual("succeeded", row(handle).status)
        self.assertEqual(["refused", "after"], labels())

    def test_and_before_one_is_not_slept_again(self):
        """A workflow that is retried as a whole replays what has ended well."""
        handle = talking.sleeps_and_fails.start(100)
        run_after()
        run_after(101)
        again = row(handle)
        run_after(112)

        self.assertEqual(("waiting", "retry"), (again.status, again.waiting_for))
        self.assertEqual(("failed", ["refused"] * 2), (row(handle).status, labels()))


class AnAbsurdDuration(TestCase):
    def outcome(self, act):
        """Return the class and text of what the act raises in a workflow."""
        handle = acts_itself.start()
        with acting(act):
            run_until_idle()
        with self.assertRaises((TypeError, ValueError)) as caught:
            handle.result()
        self.assertEqual(["mark_atomically"], steps(handle))
        return type(caught.exception), str(caught.exception)

    def test_is_refused_at_the_call(self):
        """C19: nothing is recorded, and the error names the argument."""
        numbers = (-1, -0.001, float("nan"), float("inf"), 1e18, 10**400, timedelta(days=-1), timedelta.max)
        others = (None, True, "5", Decimal(5), [5])
        for expected, values in ((ValueError, numbers), (TypeError, others)):
            for value in values:
                for verb in (durable.sleep, lambda each: durable.receive(timeout=each or [])):
                    with self.subTest(value=value):
                        kind, text = self.outcome(lambda value=value, verb=verb: verb(value))
                        self.assertEqual(expected, kind)
                        self.assertRegex(text, "^(duration|timeout) must be ")

    def test_of_a_moment_is_refused_too(self):
        """A date, a text, a naive moment under USE_TZ, and years that no zone may have."""
        moments = (
            datetime(2030, 1, 1),
            datetime.max.replace(tzinfo=timezone.get_fixed_timezone(0)),
            datetime.min.replace(tzinfo=timezone.get_fixed_timezone(0)),
        )
        for expected, values in ((ValueError, moments), (TypeError, (None, 5, "2030-01-01", moments[0].date()))):
            for value in values:
                with self.subTest(value=value):
                    kind, text = self.outcome(lambda value=value: durable.sleep_until(value))
                    self.assertEqual(expected, kind)
                    self.assertRegex(text, "^moment must ")

    def test_is_one_of_more_than_a_century(self):
        """What is allowed does not trouble the loop that looks for what is due."""
        handles = [
            sleeps.start(99 * 365 * DAY),
            sleeps_until.start(datetime(9998, 12, 31, tzinfo=timezone.get_fixed_timezone(0))),
        ]
        run_after()

        self.assertEqual(["waiting"] * 2, [row(handle).status for handle in handles])
        self.assertEqual(0, Workflow.objects.promote())


class ASleepInTheWrongPlace(TransactionTestCase):
    def test_is_refused_outside_a_workflow(self):
        """And the error says where it works."""
        for sleep in (
            lambda: durable.sleep(5),
            lambda: durable.sleep(0.5),
            lambda: durable.sleep_until(timezone.now()),
        ):
            with self.assertRaisesMessage(OutsideWorkflow, "can only be used inside a workflow"):
                sleep()

    def test_is_refused_in_a_step(self):
        """However short it is."""
        for seconds in (0.5, 5):
            handle = acts.start()
            with acting(lambda seconds=seconds: durable.sleep(seconds)):
                run_until_idle()
            with self.subTest(seconds=seconds), self.assertRaisesMessage(OutsideWorkflow, "not inside a step"):
                handle.result()

    def test_is_refused_inside_a_transaction(self):
        """Of the workflow's own; at once, with nothing recorded."""

        def body(seconds):
            with transaction.atomic():
                durable.sleep(seconds)

        for seconds in (0.5, 5):
            handle = acts_itself.start()
            with acting(lambda seconds=seconds: body(seconds)):
                run_until_idle()
            with self.subTest(seconds=seconds), self.assertRaises(InsideTransaction):
                handle.result()
            self.assertEqual(["mark_atomically"], steps(handle))
