"""What `durable show` and `durable list` say of workflows that wait, run or are paused; the admin says the same."""

from django.test import TestCase

from durable_django.base import payloads
from durable_django.models import Step, Worker, Workflow
from durable_django.testing import run_until_idle, travel
from tests.commands.support import answer, durable
from tests.sample import branching, talking
from tests.sample.workflows import Flaky, retried, two_marks

A_MOMENT = r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def situation(workflow_id="w"):
    return answer("show", workflow_id)["situation"]


def started(definition, *args, workflow_id="w", **options):
    definition.using(id=workflow_id, **options).start(*args)
    run_until_idle()


class AWaitingWorkflow(TestCase):
    def test_says_which_message_it_waits_for(self):
        """And until when."""
        started(talking.receives, "approval", 3600 * 5)

        self.assertRegex(situation(), rf"^waits for message 'approval', until {A_MOMENT} \(in 4 h 59 min\)$")

    def test_says_nothing_of_an_end_that_there_is_not(self):
        """It waits for as long as it takes."""
        started(talking.receives, "approval", None)
        started(talking.receives, "", None, workflow_id="any")

        self.assertEqual("waits for message 'approval'", situation())
        self.assertEqual("waits for a message", situation("any"))

    def test_says_until_when_it_sleeps(self):
        """By the project's time zone."""
        started(talking.sleeps, 3 * 86_400)

        self.assertRegex(situation(), rf"^sleeps, until {A_MOMENT} \(in 2 d 23 h\)$")

    def test_says_that_its_moment_has_come(self):
        """It is not its own fault then."""
        started(talking.sleeps, 60)

        with travel(seconds=120):
            self.assertRegex(situation(), rf"^sleeps, until {A_MOMENT}: that time is over, a worker takes it up$")

    def test_says_which_event_it_waits_for(self):
        """Of which workflow."""
        started(talking.receives, "", None, workflow_id="other")
        started(talking.awaits_event, "other", "price", None)

        self.assertEqual("waits for event 'price' of workflow 'other'", situation())

    def test_says_whose_end_it_waits_for(self):
        """By its id."""
        started(talking.receives, "", None, workflow_id="other")
        started(talking.awaits_result, "other")

        self.assertEqual("waits for the end of workflow 'other'", situation())

    def test_counts_the_children_that_it_waits_for(self):
        """Those that have not ended, of all."""
        started(branching.awaits_own_children, "a", "b", "c")
        child = Workflow.objects.filter(parent="w").order_by("line").last()
        Workflow.objects.filter(pk=child.pk).update(status="succeeded", finished_at=child.created_at)

        self.assertEqual("waits for 2 of 3 children", situation())

    def test_names_the_things_of_which_one_will_do(self):
        """A few of them."""
        started(talking.receives_in_branches, "a", "b", "c", "d", "e", "f")

        self.assertEqual(
            "waits for the first of: message 'a'; message 'b'; message 'c'; message 'd'; 2 more", situation()
        )

    def test_says_which_step_is_tried_again(self):
        """With the time that is left and the last error, its secrets hidden."""
        Flaky.failures = 1
        started(retried, "w")
        Step.objects.update(error=payloads.encode_error(ConnectionError("password=hunter2 refused")))

        self.assertRegex(
            situation(),
            r"^retry 1 of step 'flaky' in \d.* s, last error: ConnectionError: password=\[hidden\] refused$",
        )

    def test_says_that_all_of_it_is_tried_again(self):
        """Which attempt of how many, as the code says."""
        started(talking.sleeps_and_fails, 0)

        self.assertRegex(
            situation(), r"^retry 1 of 1 of the whole workflow in \d.* s, last error: LookupError: refused$"
        )
        Workflow.objects.update(name="gone")
        self.assertRegex(situation(), r"^retry 1 of the whole workflow in \d.* s, last error: LookupError: refused$")


class ARunningWorkflow(TestCase):
    def setUp(self):
        two_marks.using(id="w").start("w")
        Worker.objects.register("holder", 60, hostname="here", pid=1, name="alpha")
        Workflow.objects.update(status="running", worker="holder")

    def test_says_nothing_of_a_worker_that_is_well(self):
        """It runs."""
        self.assertEqual("", situation())

    def test_says_that_its_worker_is_silent(self):
        """And when others take it over."""
        with travel(seconds=20):
            said = situation()

        self.assertRegex(
            said, r"^worker 'alpha' was last heard of 20.* s ago: taken over in [34]\d.* s unless it is heard of again$"
        )

    def test_says_that_its_worker_is_gone(self):
        """Whether anybody is there to take over."""
        Worker.objects.filter(pk="holder").expire()

        self.assertEqual("worker 'alpha' is gone, and no other one is alive to take over", situation())
        Worker.objects.register("other", 60, hostname="here", pid=2)
        self.assertEqual("worker 'alpha' is gone: another one takes over within seconds", situation())
        Worker.objects.filter(pk="holder").delete()
        self.assertEqual("worker 'holder' is gone: another one takes over within seconds", situation())

    def test_says_that_its_worker_shuts_down(self):
        """Before others wonder."""
        Worker.objects.update(is_draining=True)

        self.assertEqual("worker 'alpha' shuts down, and hands on what it does not finish", situation())


class AQueuedWorkflowThatHasBegun(TestCase):
    def test_says_why_it_was_put_back(self):
        """Its workers were lost with it."""
        two_marks.using(id="w").start("w")
        with travel(seconds=-60):
            Workflow.objects.update(attempt=3, recoveries=2, run_after="2100-01-01T00:00:00Z")

            self.assertRegex(situation(), r"^runs again in \d+ d \d+ h, since 2 workers in a row were lost with it$")


class APausedWorkflow(TestCase):
    def test_says_what_the_operator_said(self):
        """Or that there was one."""
        two_marks.using(id="w").start("w")
        durable("pause", "w")

        self.assertEqual("paused by an operator", situation())
        Workflow.objects.update(reason="audit")
        self.assertEqual("audit", situation())

    def test_says_that_its_attempt_still_runs(self):
        """Until its next step; also if it was cancelled."""
        two_marks.using(id="w").start("w")
        Workflow.objects.update(status="paused", reason="audit", worker="gone")

        self.assertEqual("audit; its attempt on worker 'gone' ends at the next step", situation())
        Workflow.objects.update(status="cancelled", reason="")
        self.assertEqual("its attempt on worker 'gone' ends at the next step", situation())


class TheList(TestCase):
    def test_says_the_same_in_a_fixed_number_of_queries(self):
        """For each row, without reading an error."""
        Flaky.failures = 2
        for number in range(2):
            started(retried, "w", workflow_id=f"retried-{number}")
        for number in range(5):
            started(talking.receives, "approval", 3600, workflow_id=f"receives-{number}")
            started(branching.awaits_own_children, "a", "b", workflow_id=f"parent-{number}")

        with self.assertNumQueries(3) as queries:
            text = durable("list")

        for part in (
            "retry 1 of step 'flaky' in ",
            "waits for message 'approval', until ",
            "waits for 2 of 2 children",
        ):
            self.assertIn(part, text)
        self.assertEqual([], [query["sql"] for query in queries.captured_queries if '"error"' in query["sql"]])
