"""USE_TZ = False in a zone with daylight saving: the same instants, given and given back naive and local; C16."""

from datetime import UTC, datetime, timedelta
from unittest import mock
from zoneinfo import ZoneInfo

from django.db import connection
from django.test import TestCase, override_settings
from django.utils import timezone

from durable_django import current_workflow
from durable_django.models import Step, Worker, Workflow
from durable_django.testing import crash_before, run_until_idle, travel
from tests.behaviour.states import claim
from tests.behaviour.support import acting, row
from tests.behaviour.test_retries import asks_patiently, fail_next
from tests.sample.promises import acts, takes_order, three_marks
from tests.sample.workflows import mark, mark_atomically, two_marks

NEW_YORK = ZoneInfo("America/New_York")


def local_now():
    """Return the wall clock of New York, as naive Django projects see it."""
    return datetime.now(NEW_YORK).replace(tzinfo=None)


class NaiveTimesTestCase(TestCase):
    """
    A project with USE_TZ = False.

    Django gives the connection its zone when it opens; on PostgreSQL the session is told here, as Django would.
    """

    def setUp(self):
        changed = override_settings(USE_TZ=False, TIME_ZONE="America/New_York")
        changed.enable()
        self.addCleanup(self.leave, changed)
        self.forget_zones()
        connection.ensure_timezone()

    def leave(self, changed):
        changed.disable()
        self.forget_zones()
        connection.ensure_timezone()

    @staticmethod
    def forget_zones():
        for name in ("timezone", "timezone_name"):
            connection.__dict__.pop(name, None)


class AMoment(NaiveTimesTestCase):
    def test_is_given_back_naive_and_local(self):
        """created_at is what the wall clock in New York shows."""
        created = row(two_marks.start("a")).created_at

        self.assertIsNone(created.tzinfo)
        self.assertAlmostEqual(0, (local_now() - created).total_seconds(), delta=60)

    def test_given_naive_is_local(self):
        """run_after=: an hour ago is due, in an hour is not, and comes back as it was given."""
        past, future = local_now() - timedelta(hours=1), local_now() + timedelta(hours=1)
        due, later = two_marks.using(run_after=past).start("a"), two_marks.using(run_after=future).start("b")

        run_until_idle()

        self.assertEqual(("succeeded", "queued"), (row(due).status, row(later).status))
        self.assertEqual(future, row(later).run_after)

    def test_given_aware_is_that_instant(self):
        """An aware run_after= is taken as it is."""
        moment = datetime(2090, 7, 1, 12, tzinfo=UTC)

        found = row(two_marks.using(run_after=moment).start("a")).run_after

        self.assertEqual(datetime(2090, 7, 1, 8), found)

    def test_can_be_filtered_by(self):
        """Naive values in queries are local too."""
        two_marks.start("a")

        self.assertTrue(Workflow.objects.filter(created_at__gt=local_now() - timedelta(minutes=5)).exists())
        self.assertFalse(Workflow.objects.filter(created_at__gt=local_now() + timedelta(minutes=5)).exists())


class TheEngine(NaiveTimesTestCase):
    def test_waits_for_a_delay(self):
        """Not hours too early, as local and UTC mixed up would be."""
        handle = takes_order.using(delay=1800).start(7)
        early = run_until_idle()
        with travel(minutes=31):
            run_until_idle()

        self.assertEqual((0, "succeeded"), (early, row(handle).status))

    def test_waits_for_retries(self):
        """The moment of a retry is that of the database."""
        self.addCleanup(fail_next)
        fail_next(OSError())
        handle = asks_patiently.start()
        early = run_until_idle() + run_until_idle()
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual((1, "try"), (early, handle.refresh().result()))
        kept = Step.objects.get(name="patient")
        self.assertLess(abs((kept.finished_at - kept.started_at).total_seconds()), 60)

    def test_keeps_deadlines(self):
        """current_workflow().deadline is naive and local, and holds."""
        with acting(lambda: current_workflow().deadline):
            handle = acts.using(timeout=60).start()
            run_until_idle()
        other = three_marks.using(timeout=60).start("a")
        with crash_before(mark_atomically):
            run_until_idle()
        with travel(seconds=61):
            run_until_idle()

        self.assertIsNone(handle.result().tzinfo)
        self.assertAlmostEqual(60, (handle.result() - local_now()).total_seconds(), delta=50)
        self.assertEqual("cancelled", row(other).status)

    def test_takes_nothing_from_living_workers(self):
        """A lease of 30 seconds is 30 seconds: neither hours too long nor over at once."""
        handle = takes_order.start(7)
        claim(handle)
        Worker.objects.filter(pk="w").update(lease_expires_at=local_now() + timedelta(seconds=30))
        alive = Workflow.objects.recover().total
        with travel(seconds=31):
            dead = Workflow.objects.recover().total

        self.assertEqual((0, 1), (alive, dead))

    def test_runs_a_crash_through(self):
        """The core of it all."""
        handle = two_marks.start("a")
        with crash_before(mark):
            run_until_idle()
        run_until_idle()

        self.assertEqual(["a-atomic", "a-plain"], handle.refresh().result())

    def test_goes_on_when_clocks_go_back(self):
        """An hour that comes twice: the database counts in UTC, whatever the local names of the hours."""
        before = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30 in New York, for the first time
        shift = before - datetime.now(UTC)
        with travel(shift):
            handle = takes_order.using(delay=3600).start(7)
        with travel(shift + timedelta(minutes=59)):
            early = run_until_idle()
        with travel(shift + timedelta(minutes=61)):
            later = run_until_idle()

        self.assertEqual((0, 1, "succeeded"), (early, later, row(handle).status))


class ADefaultZone(NaiveTimesTestCase):
    def test_of_the_thread_does_not_matter(self):
        """A zone activated for a request changes neither what is stored nor what is given back."""
        with timezone.override("Asia/Tokyo"), mock.patch.dict("os.environ"):
            found = row(two_marks.start("a")).created_at

        self.assertAlmostEqual(0, (local_now() - found).total_seconds(), delta=60)
