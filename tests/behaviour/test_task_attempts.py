"""Attempts of tasks: how often, after which pauses, with which key; all of it survives a crash."""

from unittest import mock

from django.contrib.auth import get_user_model
from django.test import TestCase, TransactionTestCase, override_settings

from durable_django import current_workflow
from durable_django.models import Step, Workflow
from durable_django.tasks.sources import TaskResultStatus
from durable_django.testing import crash_after, run_until_idle, travel
from tests.behaviour.support import labels
from tests.sample import tasks
from tests.sample.tasks import Doing

READY, SUCCESSFUL, FAILED = TaskResultStatus.READY, TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED


class AttemptsTestCase(TestCase):
    def setUp(self):
        Doing.failures, Doing.error, Doing.seen = 0, ConnectionError("the service does not answer"), []

    def run_for(self, seconds):
        """Let so much time pass, and run what is due."""
        with travel(seconds=seconds):
            run_until_idle()


class ATaskThatIsTriedAgain(AttemptsTestCase):
    def test_succeeds_in_the_end(self):
        """Each attempt is a step; errors and workers of all are in the result."""
        Doing.failures = 2
        result = tasks.retried.enqueue("a")
        for seconds in (0, 120, 360):
            self.run_for(seconds)
        result.refresh()

        self.assertEqual((SUCCESSFUL, "a", 3), (result.status, result.return_value, result.attempts))
        self.assertEqual([ConnectionError] * 2, [error.exception_class for error in result.errors])
        self.assertEqual(3, len(set(result.worker_ids)))
        self.assertEqual(["step", "sleep"] * 2 + ["step"], kinds(result))
        self.assertGreaterEqual(result.last_attempted_at, result.started_at)

    def test_is_ready_between_two_attempts(self):
        """It waits without a thread, and says which error it waits for."""
        Doing.failures = 1
        result = tasks.retried.enqueue("a")
        run_until_idle()
        result.refresh()

        self.assertEqual((READY, 1, 1), (result.status, result.attempts, len(result.errors)))
        self.assertEqual("waiting", Workflow.objects.get(pk=result.id).status)

    def test_fails_with_its_last_attempt(self):
        """As often as its options allow, no more."""
        Doing.failures = 5
        result = tasks.retried.enqueue("a")
        for seconds in (0, 120, 360, 990):
            self.run_for(seconds)
        result.refresh()

        self.assertEqual((FAILED, 3, 3), (result.status, result.attempts, len(result.errors)))
        self.assertEqual(2, Doing.failures)

    def test_has_one_key_in_all_attempts(self):
        """current_step() counts them, and gives what is passed on to other services the same key."""
        Doing.failures = 2
        result = tasks.retried.enqueue("a")
        for seconds in (0, 120, 360):
            self.run_for(seconds)

        numbers, keys = zip(*Doing.seen, strict=True)
        self.assertEqual(((1, 2, 3), {f"{result.id}/1"}), (numbers, set(keys)))

    def test_only_for_errors_that_are_worth_it(self):
        """Another class than those of retry_on ends it at once."""
        Doing.failures, Doing.error = 1, ValueError("a mistake")
        result = tasks.retried.enqueue("a")
        run_until_idle()
        result.refresh()

        self.assertEqual((FAILED, 1), (result.status, result.attempts))

    def test_after_a_pause_of_its_own(self):
        """A callable is given the error and the result, and returns seconds, or None to give up."""
        Doing.failures = 2
        result = tasks.retried_as_it_says.enqueue("a")
        run_until_idle()
        self.run_for(20)
        self.assertEqual(1, len(Doing.seen))
        self.run_for(60)
        result.refresh()

        self.assertEqual((FAILED, 2), (result.status, result.attempts))

    @override_settings(
        TASKS={
            "default": {
                "BACKEND": "durable_django.tasks.DurableBackend",
                "OPTIONS": {"max_attempts": 2, "backoff": 30},
            }
        }
    )
    def test_as_the_settings_say(self):
        """OPTIONS hold for tasks that say nothing themselves."""
        Doing.failures = 2
        result, own = tasks.unreliable.enqueue("a"), tasks.retried.using().enqueue("b")
        run_until_idle()
        self.run_for(120)
        result.refresh()
        own.refresh()

        self.assertEqual((SUCCESSFUL, 2), (result.status, result.attempts))
        self.assertEqual((SUCCESSFUL, 2), (own.status, own.attempts))

    def test_loses_no_count_in_a_crash(self):
        """A worker that dies behind a failed attempt leaves its record; the next goes on with the pause."""
        Doing.failures = 1
        result = tasks.retried.enqueue("a")
        with crash_after(step_of("retried")):
            run_until_idle()
        run_until_idle()
        self.assertEqual(1, len(Doing.seen))
        self.run_for(120)
        result.refresh()

        self.assertEqual((SUCCESSFUL, 2, 1), (result.status, result.attempts, len(result.errors)))
        self.assertIs(ConnectionError, result.errors[0].exception_class)

    def test_in_async_workflows_too(self):
        """The event loop is free between the attempts."""
        Doing.failures = 1
        settings = {"BACKEND": "durable_django.tasks.DurableBackend", "OPTIONS": {"max_attempts": 2, "backoff": 30}}
        with override_settings(TASKS={"default": settings}):
            result = tasks.unreliable_async.enqueue("a")
            run_until_idle()
            result.refresh()
            self.assertEqual((READY, 1), (result.status, result.attempts))
            self.run_for(120)
            result.refresh()

        self.assertEqual((SUCCESSFUL, "a", 2), (result.status, result.return_value, result.attempts))


class ATaskThatTakesTooLong(AttemptsTestCase):
    def test_fails(self):
        """Its timeout bounds one call."""
        result = tasks.too_slow.enqueue()
        run_until_idle()
        result.refresh()

        self.assertEqual(FAILED, result.status)
        self.assertEqual("StepTimeout", result.errors[0].exception_class.__name__)


class AnAtomicTask(TransactionTestCase):
    setUp = AttemptsTestCase.setUp

    def test_writes_once(self):
        """A failed call leaves no row behind, a crash behind the commit repeats none."""
        Doing.failures = 1
        result = tasks.written_once.enqueue("a")
        with crash_after(step_of("written_once"), times=1):
            run_until_idle()
        run_until_idle()
        result.refresh()

        self.assertEqual((SUCCESSFUL, ["a"]), (result.status, labels()))


class ATaskInsideATask(AttemptsTestCase):
    def test_is_a_child(self):
        """It is found by its parent, and has an id like every other task."""
        result = tasks.enqueues.enqueue("a")
        run_until_idle()
        result.refresh()

        child = tasks.write_letter.get_result(result.return_value)
        self.assertEqual((SUCCESSFUL, "a"), (child.status, child.return_value))
        self.assertEqual(result.id, Workflow.objects.get(pk=child.id).parent_id)
        self.assertLess(len(child.id), 64)

    def test_is_enqueued_once(self):
        """However often the code around it runs: after a failure, or a crash between the enqueueing and the end."""
        settings = {
            "BACKEND": "durable_django.tasks.DurableBackend",
            "QUEUES": ["default", "letters"],
            "OPTIONS": {"max_attempts": 3, "backoff": 0},
        }
        Doing.failures = 2
        with override_settings(TASKS={"default": settings}):
            result = tasks.enqueues.enqueue("a")
            run_until_idle()
            result.refresh()

        self.assertEqual((SUCCESSFUL, 3), (result.status, result.attempts))
        self.assertEqual(["a"], labels())

    def test_from_async_code(self):
        """aenqueue() in an async task."""
        result = tasks.enqueues_async.enqueue("a")
        run_until_idle()
        result.refresh()

        self.assertEqual(SUCCESSFUL, tasks.write_letter.get_result(result.return_value).status)


class TheContext(AttemptsTestCase):
    def test_knows_the_attempt(self):
        """Id, status, moments and worker, in a thread and in an event loop."""
        result, other = tasks.with_context.enqueue("a"), tasks.with_context_async.enqueue("b")
        run_until_idle()
        result.refresh()
        other.refresh()

        self.assertEqual(["a", 1, result.id, "RUNNING", True, result.worker_ids], result.return_value)
        self.assertEqual(["b", 1, other.id, "RUNNING", True], other.return_value)

    def test_costs_a_task_nothing_that_does_not_ask(self):
        """Claim aside, a task is its step and its outcome: no read."""
        with mock.patch("durable_django.tasks.execution._moments") as moments:
            tasks.add.enqueue(1)
            run_until_idle()

        moments.assert_not_called()

    def test_of_the_workflow_is_there_too(self):
        """A task may ask for what a workflow knows."""
        seen = []
        with mock.patch.object(Doing, "begin", lambda: seen.append(current_workflow().id)):
            result = tasks.unreliable.enqueue("a")
            run_until_idle()

        self.assertEqual([result.id], seen)


class AnAsyncTask(AttemptsTestCase):
    def test_is_awaited(self):
        """It runs in the event loop of the worker, with Django's async ORM."""
        get_user_model().objects.create_user("grace")
        result, other = tasks.add_async.enqueue(1, right=2), tasks.count_users.enqueue()
        run_until_idle()
        result.refresh()
        other.refresh()

        self.assertEqual((3, 1), (result.return_value, other.return_value))
        self.assertTrue(Workflow.objects.get(pk=result.id).is_async)

    def test_whose_code_has_changed_since(self):
        """A row of an async task runs a function that is not async any more, and the other way round."""
        result, other = tasks.add.enqueue(1), tasks.add_async.enqueue(2)
        with mock.patch.object(tasks, "add", tasks.add_async), mock.patch.object(tasks, "add_async", tasks.add):
            run_until_idle()

            result.refresh()
            other.refresh()

        self.assertEqual((1, 2), (result.return_value, other.return_value))


def kinds(result):
    return list(Step.objects.filter(workflow=result.id).order_by("position").values_list("kind", flat=True))


def step_of(name):
    """Return what crash_after() needs to know of a task's step."""
    step = mock.Mock()
    step.spec.name = f"tests.sample.tasks.{name}"
    return step
