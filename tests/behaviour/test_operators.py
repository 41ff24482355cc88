"""cancel, pause and resume: on rows and querysets, in every state; decided in the database."""

from django.test import TestCase

from durable_django.models import Workflow
from durable_django.models.workflow_queryset import BATCH
from durable_django.testing import run_until_idle, travel
from tests.behaviour.states import LIVE, STATES, claim, workflow_in
from tests.behaviour.support import acting, labels, row, statements, steps
from tests.sample.promises import acts, takes_order


class InEveryState(TestCase):
    def assert_changes(self, verb, changed, becomes):
        """One row in each state: the verb changes just those, tells so, and leaves the others alone."""
        for state in STATES:
            handle = workflow_in(state)
            with self.subTest(verb=verb, state=state):
                self.assertEqual(state, row(handle).status)

                answer = getattr(row(handle), verb)()

                self.assertIs(state in changed, answer)
                self.assertEqual(becomes if state in changed else state, row(handle).status)
                Workflow._base_manager.all().delete()

    def test_cancel_ends_what_is_live(self):
        """QUEUED, RUNNING, WAITING and PAUSED become CANCELLED; what has ended stays as it ended."""
        self.assert_changes("cancel", LIVE, "cancelled")

    def test_pause_stops_what_moves(self):
        """QUEUED, RUNNING and WAITING become PAUSED."""
        self.assert_changes("pause", ("queued", "running", "waiting"), "paused")

    def test_resume_continues_what_stopped(self):
        """PAUSED, FAILED and CANCELLED go back to their queue."""
        self.assert_changes("resume", ("paused", "failed", "cancelled"), "queued")

    def test_a_queryset_answers_with_a_count(self):
        """Each verb changes those of the set that it can, and says how many."""
        for verb, count in (("pause", 3), ("resume", 3), ("cancel", 4)):
            for state in reversed(STATES):
                workflow_in(state)
            with self.subTest(verb=verb):
                changed = getattr(Workflow.objects.all(), verb)()
                self.assertEqual(count, changed)
            Workflow._base_manager.all().delete()

    def test_a_queryset_changes_only_its_own(self):
        """What the filter leaves out is left alone."""
        one, other = acts.start(), takes_order.start(7)

        changed = Workflow.objects.filter(name="sample.acts").cancel("x")

        self.assertEqual((1, "cancelled", "queued"), (changed, row(one).status, row(other).status))

    def test_pressed_twice_has_one_effect(self):
        """The second press of each verb changes nothing; F4."""
        handle = acts.start()
        answers = [
            (row(handle).pause(), row(handle).pause()),
            (row(handle).resume(), row(handle).resume()),
            (row(handle).cancel("first"), row(handle).cancel("second")),
        ]

        self.assertEqual([(True, False)] * 3, answers)
        self.assertEqual("first", row(handle).reason)

    def test_a_row_read_earlier_does_not_matter(self):
        """The verb decides by the status in the database, not by the one that the caller holds."""
        handle = acts.start()
        stale = row(handle)
        run_until_idle()

        self.assertFalse(stale.cancel())
        self.assertEqual("succeeded", row(handle).status)

    def test_many_rows_are_changed_in_batches(self):
        """Each batch is one short transaction of constant cost, whatever the size of the set."""
        takes_order.start_many((number,) for number in range(BATCH + 10))

        with statements() as seen:
            changed = Workflow.objects.all().cancel()

        self.assertEqual(BATCH + 10, changed)
        self.assertEqual(2, len([sql for sql in seen if sql.startswith("UPDATE")]))


class ACancelledWorkflow(TestCase):
    def test_is_ended_with_its_reason(self):
        """Reason and moment stand in the row; it is not run any more."""
        handle = acts.start()
        row(handle).cancel("out of stock")

        ran = run_until_idle()

        self.assertEqual((0, "out of stock"), (ran, row(handle).reason))
        self.assertIsNotNone(row(handle).finished_at)

    def test_that_waits_ends_at_once(self):
        """Nothing wakes it any more."""
        handle = workflow_in("waiting")
        row(handle).cancel()

        with travel(days=1):
            ran = run_until_idle()

        self.assertEqual((0, None, ""), (ran, row(handle).run_after, row(handle).waiting_for))

    def test_that_runs_starts_no_further_step(self):
        """The step it is in is still recorded; the attempt then lets go of the row; F2."""
        with acting(lambda: Workflow.objects.get().cancel("enough")):
            handle = acts.start()
            run_until_idle()

        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).worker))
        self.assertEqual(["mark_atomically", "act"], steps(handle))
        self.assertEqual(["before"], labels())

    def test_keeps_its_worker_until_the_attempt_lets_go(self):
        """Whoever holds it still may be in a step: nobody may claim it before."""
        handle = workflow_in("running")
        row(handle).cancel()
        row(handle).resume()

        self.assertEqual(("queued", "w"), (row(handle).status, row(handle).worker))
        self.assertEqual(0, run_until_idle())

    def test_does_not_end_twice(self):
        """An attempt that ends after the cancel cannot write its outcome."""
        handle = acts.start()
        running = claim(handle)
        row(handle).cancel("first")

        self.assertFalse(running.succeed('"late"'))
        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).output))


class APausedWorkflow(TestCase):
    def test_is_not_run(self):
        """Neither now nor when its moment comes."""
        handle = takes_order.using(delay=10).start(7)
        row(handle).pause("holiday")
        with travel(days=1):
            ran = run_until_idle()

        self.assertEqual((0, "paused", "holiday"), (ran, row(handle).status, row(handle).reason))

    def test_stops_at_its_next_step(self):
        """The running step is recorded; after the resume the workflow goes on behind it."""
        with acting(lambda: Workflow.objects.get().pause()):
            handle = acts.start()
            run_until_idle()
        paused = row(handle)
        row(handle).resume()
        run_until_idle()

        self.assertEqual(("paused", None), (paused.status, paused.worker))
        self.assertEqual(("succeeded", 2), (row(handle).status, row(handle).attempt))
        self.assertEqual(["before", "after"], labels())

    def test_resumed_within_the_running_step_waits_for_it(self):
        """Pause and resume while one step runs: the attempt lets go first, then another one continues; no overlap."""

        def pause_and_resume():
            workflow = Workflow.objects.get()
            workflow.pause()
            workflow.resume()
            return run_until_idle()

        with acting(pause_and_resume):
            handle = acts.start()
            run_until_idle()

        self.assertEqual(0, handle.refresh().result())
        self.assertEqual((2, ["before", "after"]), (row(handle).attempt, labels()))
        self.assertEqual(["mark_atomically", "act", "mark"], steps(handle))

    def test_keeps_the_moment_it_was_delayed_to(self):
        """A workflow for later is for later again after a resume."""
        handle = takes_order.using(delay=1000).start(7)
        moment = row(handle).run_after
        row(handle).pause()
        row(handle).resume()

        self.assertEqual((0, moment), (run_until_idle(), row(handle).run_after))

    def test_can_be_cancelled(self):
        """It ends as CANCELLED with the reason of the cancel."""
        handle = workflow_in("paused")
        row(handle).cancel("for good")

        self.assertEqual(("cancelled", "for good"), (row(handle).status, row(handle).reason))
