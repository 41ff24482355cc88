"""resume: FAILED and CANCELLED runs go on in place, from the last step that succeeded."""

from django.test import TestCase

from durable_django import Retry, step, workflow
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.states import workflow_in
from tests.behaviour.support import acting, labels, row, steps
from tests.sample.models import Mark
from tests.sample.promises import acts
from tests.sample.workflows import mark

BROKEN = set()


@step
def deliver(parcel):
    Mark.objects.create(label=parcel)
    if parcel in BROKEN:
        raise ConnectionError(parcel)
    return parcel


@step(retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def deliver_patiently(parcel):
    return deliver.__wrapped__(parcel)


@workflow
def delivers(parcels):
    """It goes on after an error, and fails at the end if the last one failed."""
    delivered = []
    for parcel in parcels:
        try:
            delivered.append(deliver(parcel))
        except ConnectionError:
            if parcel == parcels[-1]:
                raise
    return delivered


@workflow
def delivers_patiently():
    mark("before")
    return deliver_patiently("parcel")


class AFailedWorkflow(TestCase):
    def setUp(self):
        self.addCleanup(BROKEN.clear)

    def test_runs_its_last_step_again(self):
        """The error at the end of the history is dropped; what succeeded before it is replayed."""
        BROKEN.add("c")
        handle = delivers.start(["a", "b", "c"])
        run_until_idle()
        BROKEN.clear()

        row(handle).resume()
        run_until_idle()

        self.assertEqual(["a", "b", "c"], handle.refresh().result())
        self.assertEqual(["a", "b", "c", "c"], labels())
        self.assertEqual(2, row(handle).attempt)

    def test_keeps_an_error_that_the_code_went_on_from(self):
        """Only errors at the very end are dropped: the code has decided by the others."""
        BROKEN.update("bd")
        handle = delivers.start(["a", "b", "c", "d"])
        run_until_idle()
        BROKEN.clear()

        row(handle).resume()
        run_until_idle()

        self.assertEqual(["a", "c", "d"], handle.refresh().result())
        self.assertEqual(1, labels().count("b"))

    def test_drops_all_errors_at_the_end(self):
        """Several in a row run again."""
        BROKEN.update("bc")
        handle = delivers.start(["a", "b", "c"])
        run_until_idle()
        BROKEN.clear()

        row(handle).resume()
        run_until_idle()

        self.assertEqual(["a", "b", "c"], handle.refresh().result())

    def test_starts_its_counts_anew(self):
        """Recoveries and failures are zero; error, reason and end are gone; attempts go on counting."""
        handle = workflow_in("failed")
        Workflow.objects.update(recoveries=3, failures=2)
        row(handle).resume()

        resumed = row(handle)
        self.assertEqual((0, 0, None, None, ""), (
            resumed.recoveries, resumed.failures, resumed.error, resumed.finished_at, resumed.reason,
        ))  # fmt: skip
        self.assertEqual(1, resumed.attempt)

    def test_gets_all_retries_of_its_step_back(self):
        """A step whose retries were exhausted counts from the beginning."""
        BROKEN.add("parcel")
        handle = delivers_patiently.start()
        for seconds in (0, 11):
            with travel(seconds=seconds):
                run_until_idle()
        row(handle).resume()
        with travel(seconds=12):
            run_until_idle()

        self.assertEqual("waiting", row(handle).status)
        self.assertEqual(1, Step.objects.get(name="deliver_patiently").retries)

    def test_of_its_own_code_is_called_again(self):
        """No step failed: everything is replayed, and the workflow's code runs on."""
        handle = workflow_in("failed")
        Step.objects.filter(error__isnull=False).delete()
        row(handle).resume()
        with acting(lambda: "fine"):
            run_until_idle()

        self.assertEqual("fine", handle.refresh().result())
        self.assertEqual(["before", "after"], labels())

    def test_can_fail_and_be_resumed_again(self):
        """As often as it takes."""
        BROKEN.add("a")
        handle = delivers.start(["a"])
        for _ in range(3):
            run_until_idle()
            row(handle).resume()
        BROKEN.clear()
        run_until_idle()

        self.assertEqual((["a"], 4), (handle.refresh().result(), row(handle).attempt))


class ACancelledWorkflow(TestCase):
    def test_goes_on_behind_its_last_step(self):
        """What was done before the cancel is replayed."""
        with acting(lambda: Workflow.objects.get().cancel("oops")):
            handle = acts.start()
            run_until_idle()
        row(handle).resume()
        run_until_idle()

        self.assertEqual(("succeeded", ""), (row(handle).status, row(handle).reason))
        self.assertEqual(["before", "after"], labels())
        self.assertEqual(["mark_atomically", "act", "mark"], steps(handle))

    def test_that_never_ran_runs(self):
        """Resumed before its first attempt, it simply starts."""
        handle = workflow_in("cancelled")
        row(handle).resume()
        with acting(lambda: 5):
            run_until_idle()

        self.assertEqual(5, handle.refresh().result())


class ASucceededWorkflow(TestCase):
    def test_cannot_be_resumed(self):
        """Its outcome was written once and stays."""
        handle = workflow_in("succeeded")

        self.assertFalse(row(handle).resume())
        self.assertEqual(0, run_until_idle())
