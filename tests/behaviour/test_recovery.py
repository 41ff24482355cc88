"""Recovery: what a lost worker held goes on elsewhere, a poison workflow does not go on for ever."""

from django.test import TestCase

from durable_django import RecoveriesExhausted, WorkflowError, step, workflow
from durable_django.base import registry
from durable_django.models import Worker, Workflow
from durable_django.models.recovery import recovery_delay
from durable_django.testing import crash_after, crash_before, run_until_idle, travel
from tests.behaviour.states import ENDED, claim, workflow_in
from tests.behaviour.support import acting, labels, row, statements
from tests.sample.promises import acts, takes_order
from tests.sample.workflows import mark

NAMES = registry.workflows.names


def lose_worker():
    """Let every lease end."""
    Worker.objects.expire()


def claim_and_lose(handle):
    """Give the workflow to a worker and lose that worker. Return the row as the worker held it."""
    held = claim(handle, f"w{Worker.objects.count()}")
    lose_worker()
    return held


class AnOrphan(TestCase):
    def test_goes_back_to_its_queue(self):
        """QUEUED, no worker, one recovery counted; the next claim is the next attempt."""
        handle = takes_order.start(7)
        claim_and_lose(handle)

        done = Workflow.objects.recover()

        self.assertEqual((1, (), 0), done)
        recovered = row(handle)
        self.assertEqual(("queued", None, 1, None), (
            recovered.status, recovered.worker, recovered.recoveries, recovered.run_after,
        ))  # fmt: skip
        run_until_idle()
        self.assertEqual(2, row(handle).attempt)

    def test_of_a_living_worker_is_none(self):
        """Nothing is taken from a worker whose lease stands."""
        claim(takes_order.start(7))

        self.assertEqual(0, Workflow.objects.recover().total)
        self.assertFalse(Workflow.objects.orphaned().exists())

    def test_of_a_worker_without_a_row_is_one(self):
        """A row of a worker that was removed counts as lost."""
        handle = takes_order.start(7)
        claim(handle)
        Worker.objects.all().delete()

        self.assertEqual([handle.id], [each.pk for each in Workflow.objects.orphaned()])

    def test_is_recovered_once(self):
        """The sweep is idempotent: a second one finds nothing; A11."""
        claim_and_lose(takes_order.start(7))

        self.assertEqual([1, 0], [Workflow.objects.recover().total, Workflow.objects.recover().total])

    def test_keeps_its_place_in_line(self):
        """What was before others is before them again."""
        first, second = takes_order.start(1), takes_order.start(2)
        claim_and_lose(first)
        Workflow.objects.recover()

        queue = Workflow.objects.runnable("default")

        self.assertEqual([first.id, second.id], [each.pk for each in queue])

    def test_that_was_paused_or_cancelled_is_set_free(self):
        """A worker that died before it let go keeps no row: the status stays, the worker is cleared."""
        for verb, status in (("pause", "paused"), ("cancel", "cancelled")):
            handle = takes_order.start(7)
            claim(handle, verb)
            getattr(row(handle), verb)()
            lose_worker()

            done = Workflow.objects.recover()

            self.assertEqual((0, (), 1), done)
            self.assertEqual((status, None, 0), (row(handle).status, row(handle).worker, row(handle).recoveries))

    def test_that_was_resumed_before_its_worker_died_runs(self):
        """It waited for the old attempt; now nobody holds it."""
        handle = takes_order.start(7)
        claim(handle)
        row(handle).pause()
        row(handle).resume()
        lose_worker()
        Workflow.objects.recover()
        run_until_idle()

        self.assertEqual("succeeded", row(handle).status)

    def test_does_not_concern_what_has_ended(self):
        """Terminal rows are nobody's."""
        for state in ENDED:
            workflow_in(state)

        self.assertEqual(0, Workflow.objects.recover().total)

    def test_sweeps_are_bounded_and_of_constant_cost(self):
        """A thousand orphans are put back in batches, with as many statements for 200 as for 20."""
        counts = []
        for number in (20, 200):
            handles = takes_order.start_many((each,) for each in range(number))
            Worker.objects.register(f"w{number}", 3600, hostname="test", pid=0)
            Workflow.objects.claim(f"w{number}", "default", number, names=NAMES())
            lose_worker()
            with statements() as seen:
                done = Workflow.objects.recover()
            counts.append(len(seen))
            self.assertEqual(len(handles), done.recovered)
            Workflow._base_manager.all().delete()

        self.assertEqual(counts[0], counts[1])


class TheOldAttempt(TestCase):
    def test_cannot_write_any_more(self):
        """Its fence is its number: no outcome, no suspension, no release; B1, B3."""
        handle = takes_order.start(7)
        old = claim_and_lose(handle)
        Workflow.objects.recover()
        writes = (
            lambda: old.succeed('"x"'),
            lambda: old.fail("{}"),
            lambda: old.suspend("retry"),
            lambda: old.retry(5, "{}"),
            old.release,
            old.step_back,
            lambda: old.diverge("x"),
            old.lock_owned,
        )
        refused = [write() for write in writes]
        claim(handle, "next")
        refused += [write() for write in writes]

        self.assertEqual([False] * 16, refused)
        self.assertEqual(("running", 2, "next"), (row(handle).status, row(handle).attempt, row(handle).worker))

    def test_cannot_let_the_new_one_go(self):
        """A late release does not clear the worker of its successor."""
        handle = takes_order.start(7)
        old = claim_and_lose(handle)
        Workflow.objects.recover()
        claim(handle, "next")
        row(handle).pause()

        self.assertFalse(old.let_go())
        self.assertEqual("next", row(handle).worker)


@step
def deadly():
    return None


@workflow(max_recoveries=4)
def poison():
    mark("before")
    deadly()
    return mark("after")


class APoisonWorkflow(TestCase):
    def die(self, times, start=0):
        """Let the worker die so often in the same step, each time after the pause that is due."""
        for number in range(times):
            with travel(minutes=2 * (start + number)), crash_before(deadly):
                run_until_idle()

    def test_waits_longer_and_longer(self):
        """The first recovery is immediate, later ones wait 1, 2, 4 ... 60 seconds."""
        delays = [recovery_delay(number) for number in range(1, 11)]

        self.assertEqual([0, 1, 2, 4, 8, 16, 32, 60, 60, 60], delays)
        self.assertEqual(60, recovery_delay(10_000))

    def test_waits_as_long_in_its_row(self):
        """run_after keeps the pause; the worker's turn promotes it when it is over."""
        handle = poison.start()
        self.die(3)
        with travel(minutes=6):
            Workflow.objects.recover()

        waiting = row(handle)
        self.assertEqual((3, "queued"), (waiting.recoveries, waiting.status))
        self.assertIsNotNone(waiting.run_after)

    def test_fails_when_its_recoveries_are_spent(self):
        """FAILED with RecoveriesExhausted, also if the worker is lost in the last allowed attempt; A17, A18."""
        handle = poison.start()
        self.die(5)
        with travel(minutes=20):
            run_until_idle()

        failed = row(handle)
        self.assertEqual(("failed", None, 5, 5), (failed.status, failed.worker, failed.attempt, failed.recoveries))
        with self.assertRaises(RecoveriesExhausted) as caught:
            handle.result()
        self.assertIsInstance(caught.exception, WorkflowError)
        self.assertEqual((handle.id, 5), (caught.exception.workflow_id, caught.exception.recoveries))
        self.assertIn("resume", str(caught.exception))

    def test_can_be_resumed_when_it_is_mended(self):
        """Its recoveries start anew, and what was done stays done."""
        handle = poison.start()
        self.die(5)
        with travel(minutes=20):
            run_until_idle()
            row(handle).resume()
            run_until_idle()

        self.assertEqual(("succeeded", 0), (row(handle).status, row(handle).recoveries))
        self.assertEqual(["before", "after"], labels())

    def test_runs_alone_from_the_third_loss_on(self):
        """An ordinary claim leaves a suspect; claim_suspect() takes it, one at a time."""
        suspect, other = poison.start(), takes_order.start(7)
        Workflow.objects.filter(pk=suspect.id).update(recoveries=3)
        Worker.objects.register("w", 3600, hostname="test", pid=0)

        ordinary = Workflow.objects.claim("w", "default", 10, names=NAMES())
        alone = Workflow.objects.claim_suspect("w", "default", names=NAMES())

        self.assertEqual(([other.id], [suspect.id]), ([each.pk for each in ordinary], [each.pk for each in alone]))

    def test_is_no_suspect_after_two_losses(self):
        """Two lost workers may be chance."""
        handle = poison.start()
        Workflow.objects.update(recoveries=2)

        self.assertEqual(2, claim(handle).recoveries)

    def test_whose_limit_is_zero_fails_at_the_first_loss(self):
        """max_recoveries=0 allows none."""
        handle = takes_order.start(7)
        Workflow.objects.update(max_recoveries=0)
        claim_and_lose(handle)

        self.assertEqual(1, len(Workflow.objects.recover().exhausted))
        self.assertEqual("failed", row(handle).status)


class Progress(TestCase):
    def test_starts_the_count_anew(self):
        """A new checkpoint since the last loss shows that the workflow is not what kills the worker."""
        handle = poison.start()
        with crash_before(mark):
            run_until_idle()
        with travel(seconds=5), crash_before(mark):
            run_until_idle()
        with travel(seconds=10), crash_after(mark):
            run_until_idle()
        with travel(seconds=20):
            Workflow.objects.recover()

        self.assertEqual((3, 1), (row(handle).attempt, row(handle).recoveries))

    def test_is_a_finished_checkpoint_of_that_attempt(self):
        """Steps that earlier attempts recorded do not count again."""
        handle = poison.start()
        for number in range(3):
            with travel(minutes=number), crash_before(deadly):
                run_until_idle()
        with travel(minutes=5):
            Workflow.objects.recover()

        # The first attempt recorded a step; the second and third none.
        self.assertEqual(3, row(handle).recoveries)

    def test_of_a_workflow_that_always_gets_further_never_exhausts_it(self):
        """Losing a worker at each step ends well."""
        with acting(lambda: None):
            handle = acts.start()
            Workflow.objects.update(max_recoveries=1)
            for name in ("mark_atomically", "act"):
                with crash_after(acts.registered.func.__globals__[name]):
                    run_until_idle()
            run_until_idle()

        self.assertEqual(("succeeded", 3), (row(handle).status, row(handle).attempt))
