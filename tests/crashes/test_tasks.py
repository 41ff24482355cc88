"""Tasks of django.tasks in real workers: killed, late, on queues that nobody has listed, many at the same time."""

from __future__ import annotations

from durable_django.models import Workflow
from durable_django.tasks.sources import TaskResultStatus
from tests.crashes.harness import CrashTestCase
from tests.sample import flags, tasks

SUCCESSFUL = TaskResultStatus.SUCCESSFUL


class TasksTestCase(CrashTestCase):
    def finished(self, *results):
        """Wait for the ends of tasks, and return their results as they are then."""
        self.wait_for_end(*[result.id for result in results])
        for result in results:
            result.refresh()
        return list(results)


class AWorkerThatIsKilled(TasksTestCase):
    def test_in_a_task_leaves_it_to_another(self):
        """It is recovered and finished, under the number and the key of the attempt that was cut short."""
        first = self.start_worker()
        result = tasks.lingering.enqueue("a")
        self.wait_for_flag("in-a")

        first.kill_all()
        self.start_worker()

        (result,) = self.finished(result)
        self.assertEqual((SUCCESSFUL, "a", 1), (result.status, result.return_value, result.attempts))
        self.assertEqual({"a": 2, f"a has key {result.id}/1": 2}, dict(self.marks()))
        self.assertEqual(2, Workflow.objects.get(pk=result.id).attempt)


class AWorker(TasksTestCase):
    def test_runs_what_it_has_not_imported(self):
        """The module is found by the path in the row, the queue by its own row."""
        self.start_worker()

        results = self.finished(
            tasks.add.enqueue(1, right=2),
            tasks.add_async.enqueue(3),
            tasks.count_users.enqueue(),
            tasks.write_letter.enqueue("a"),
            tasks.write_letter.using(backend="any_queue", queue_name="nobody listed it").enqueue("b"),
        )

        self.assertEqual([3, 3, 0, "a", "b"], [result.return_value for result in results])
        self.assertEqual({1}, {result.attempts for result in results})

    def test_awaits_many_at_the_same_time(self):
        """A hundred async tasks that each wait a fifth of a second: one after the other, they would take twenty."""
        results = [tasks.nap.enqueue(0.2) for _number in range(100)]
        self.start_worker()

        self.finished(*results)

        seconds = max(each.finished_at for each in results) - min(each.started_at for each in results)
        self.assertLess(seconds.total_seconds(), 5)

    def test_goes_on_without_a_task_that_takes_too_long(self):
        """The timeout is recorded while the late call still holds its thread; the next attempt begins."""
        self.start_worker()
        result = tasks.slow_at_first.enqueue("a")

        (result,) = self.finished(result)

        self.assertEqual((SUCCESSFUL, "a", 2), (result.status, result.return_value, result.attempts))
        self.assertEqual("StepTimeout", result.errors[0].exception_class.__name__)
        self.assertEqual(2, flags.times("in-a"))

    def test_that_is_told_to_end_finishes_its_task(self):
        """A task is one step: it is let to its end."""
        worker = self.start_worker("--grace", "30")
        result = tasks.nap_with_flag.enqueue("a")
        self.wait_for_flag("in-a")

        self.assertEqual(0, worker.stop())

        result.refresh()
        self.assertEqual((SUCCESSFUL, 1), (result.status, result.attempts))
