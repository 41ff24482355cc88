"""Deadlines: absolute from the first claim, enforced in the database, standing still during a pause."""

from datetime import timedelta

from django.test import TestCase

from durable_django import Retry, WorkflowCancelled, current_workflow, step, workflow
from durable_django.models import Worker, Workflow
from durable_django.testing import crash_before, run_until_idle, travel
from tests.behaviour.support import acting, labels, row
from tests.sample.promises import acts, three_marks
from tests.sample.workflows import mark, mark_atomically


@step(retry=Retry(max_attempts=2, base_seconds=1000, jitter=0))
def unlucky():
    raise OSError


@workflow(timeout=timedelta(seconds=60))
def waits_for_luck():
    mark("before")
    unlucky()


class ADeadline(TestCase):
    def test_ends_a_waiting_workflow(self):
        """CANCELLED, with the reason, whether anybody runs it or not."""
        handle = waits_for_luck.start()
        run_until_idle()
        with travel(seconds=45):
            Workflow.objects.expire()
        before = row(handle).status
        with travel(seconds=61):
            ended = Workflow.objects.expire()

        self.assertEqual(("waiting", 1, "cancelled"), (before, ended, row(handle).status))
        self.assertIsNotNone(row(handle).finished_at)
        with self.assertRaisesMessage(WorkflowCancelled, "its deadline passed"):
            handle.result()

    def test_is_enforced_for_the_workflows_of_dead_workers(self):
        """A RUNNING row whose worker died ends at its deadline, and runs no further step."""
        handle = three_marks.using(timeout=60).start("a")
        with crash_before(mark_atomically):
            run_until_idle()
        Worker.objects.expire()

        with travel(seconds=61):
            run_until_idle()

        self.assertEqual("cancelled", row(handle).status)
        self.assertEqual(["a-1"], labels())

    def test_is_kept_by_recovery(self):
        """The second attempt has the deadline of the first; C18."""
        handle = three_marks.using(timeout=60).start("a")
        with crash_before(mark_atomically):
            run_until_idle()
        first = row(handle).deadline
        with travel(seconds=50):
            run_until_idle()

        self.assertEqual((2, first), (row(handle).attempt, row(handle).deadline))

    def test_is_known_to_the_workflow(self):
        """current_workflow().deadline, from the first claim on."""
        with acting(lambda: current_workflow().deadline):
            handle = acts.using(timeout=60).start()
            run_until_idle()

        self.assertEqual(row(handle).deadline, handle.result())

    def test_passes_during_a_step(self):
        """The step that runs is still recorded; no further one starts."""

        def pass_deadline():
            with travel(seconds=61):
                Workflow.objects.expire()

        with acting(pass_deadline):
            handle = acts.using(timeout=60).start()
            run_until_idle()

        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).worker))
        self.assertEqual((["before"], 2), (labels(), row(handle).steps.count()))

    def test_does_not_end_what_has_ended(self):
        """A terminal outcome is written once."""
        handle = three_marks.using(timeout=60).start("a")
        run_until_idle()
        with travel(seconds=61):
            ended = Workflow.objects.expire()

        self.assertEqual((0, "succeeded"), (ended, row(handle).status))

    def test_does_not_run_in_the_queue(self):
        """Only the first claim sets it: waiting in line takes nothing of it."""
        handle = three_marks.using(timeout=60).start("a")
        with travel(days=1):
            ended = Workflow.objects.expire()
            run_until_idle()

        self.assertEqual((0, "succeeded"), (ended, row(handle).status))


class APause(TestCase):
    def test_stops_the_deadline(self):
        """What was left counts on from the resume, however long the pause was."""
        handle = waits_for_luck.start()
        run_until_idle()
        with travel(seconds=20):
            row(handle).pause()
        paused = row(handle)
        with travel(days=10):
            Workflow.objects.expire()
            row(handle).resume()
            now = row(handle).deadline

        self.assertIsNone(paused.deadline)
        self.assertAlmostEqual(40, paused.remaining_seconds, delta=10)
        expected = paused.claimed_at + timedelta(days=10, seconds=40)
        self.assertAlmostEqual(0, (now - expected).total_seconds(), delta=10)
        self.assertIsNone(row(handle).remaining_seconds)

    def test_of_a_workflow_without_a_deadline_makes_none(self):
        """Nothing is left of nothing."""
        handle = three_marks.start("a")
        row(handle).pause()
        row(handle).resume()

        self.assertEqual((None, None), (row(handle).deadline, row(handle).remaining_seconds))


class AResume(TestCase):
    def test_of_an_ended_workflow_starts_its_timeout_anew(self):
        """The next claim sets a new deadline."""
        handle = waits_for_luck.start()
        run_until_idle()
        with travel(seconds=61):
            Workflow.objects.expire()
            row(handle).resume()
            before = row(handle).deadline
            run_until_idle()

        self.assertIsNone(before)
        self.assertEqual("waiting", row(handle).status)
        self.assertAlmostEqual(60, (row(handle).deadline - row(handle).claimed_at).total_seconds(), delta=10)
