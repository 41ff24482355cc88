"""Results of tasks: rebuilt from the rows, whatever has become of the code, the queue or the backend."""

import pickle
from datetime import timedelta
from unittest import mock

from asgiref.sync import async_to_sync
from django.test import TestCase, override_settings

from durable_django import TaskFunctionMissing, get_handle
from durable_django.models import Workflow
from durable_django.tasks.sources import TaskResultDoesNotExist, TaskResultStatus, task_backends
from durable_django.testing import crash_after, run_until_idle, travel
from tests.behaviour.retaining import sweep
from tests.behaviour.support import labels, row, steps
from tests.sample import tasks
from tests.sample.models import Mark
from tests.sample.tasks import Doing
from tests.sample.workflows import two_marks

READY, RUNNING = TaskResultStatus.READY, TaskResultStatus.RUNNING
SUCCESSFUL, FAILED = TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED
BACKEND = "durable_django.tasks.DurableBackend"


def read(result):
    return task_backends["default"].get_result(result.id)


class ATaskThatWasRun(TestCase):
    def test_has_its_value_and_its_moments(self):
        """The value, the worker, and moments in their order."""
        result = tasks.add.enqueue(1, right=2)
        run_until_idle()
        result.refresh()

        self.assertEqual((SUCCESSFUL, 3, True), (result.status, result.return_value, result.is_finished))
        self.assertEqual(
            sorted([result.enqueued_at, result.started_at, result.last_attempted_at, result.finished_at]),
            [result.enqueued_at, result.started_at, result.last_attempted_at, result.finished_at],
        )
        self.assertEqual((1, []), (result.attempts, result.errors))
        self.assertTrue(result.worker_ids[0].startswith("test-"))

    def test_is_a_workflow_whose_end_is_its_record(self):
        """What is called once, in a thread, needs no step beside it; its handle has the value and the worker."""
        result = tasks.add.enqueue(1)
        run_until_idle()
        result.refresh()

        handle = get_handle(result.id)
        self.assertEqual({"return_value": 1, "worker": result.worker_ids[0]}, handle.result())
        self.assertEqual([], steps(handle))

    def test_in_an_event_loop_has_a_step(self):
        """The step has the path of the task, by which people know it."""
        result = tasks.add_async.enqueue(1)
        run_until_idle()

        self.assertEqual(["tests.sample.tasks.add_async"], steps(get_handle(result.id)))

    def test_that_was_paused_meanwhile_is_not_run_again(self):
        """Its outcome is refused; then the step is recorded after all, and answers when the task is resumed."""
        for act in ("pause", "cancel"):
            Mark.objects.all().delete()
            with mock.patch.object(Doing, "begin", lambda act=act: getattr(Workflow.objects.all(), act)()):
                result = tasks.unreliable.enqueue("a")
                run_until_idle()
            with self.subTest(act=act):
                self.assertIn(read(result).status, (READY, FAILED))
                row(get_handle(result.id)).resume()
                run_until_idle()
                found = read(result)
                self.assertEqual(
                    (SUCCESSFUL, "a", 1, ["a"]), (found.status, found.return_value, found.attempts, labels())
                )

    def test_is_read_from_async_code(self):
        """aget_result() and arefresh()."""
        result = tasks.add.enqueue(1)
        run_until_idle()

        self.assertEqual(1, async_to_sync(tasks.add.aget_result)(result.id).return_value)
        async_to_sync(result.arefresh)()
        self.assertEqual(1, result.return_value)

    def test_can_be_pickled(self):
        """A result goes through a cache or a queue of the project."""
        result = tasks.add.enqueue(1)

        try:
            copy = pickle.loads(pickle.dumps(result))
        except (pickle.PicklingError, TypeError):
            self.skipTest("Tasks of this Django cannot be pickled.")
        self.assertEqual(result, copy)

    def test_may_be_a_static_method(self):
        """The path leads through its class."""
        result = tasks.Desk.stamp.enqueue("a")
        run_until_idle()

        self.assertEqual("a, stamped", tasks.Desk.stamp.get_result(result.id).return_value)


class ATaskThatFailed(TestCase):
    def test_says_why(self):
        """The class of the error can be imported, the traceback ends with it, no value is there."""
        tasks.Doing.failures = 1
        result = tasks.unreliable.enqueue("a")
        run_until_idle()
        result.refresh()

        self.assertEqual((FAILED, 1), (result.status, result.attempts))
        with self.assertRaisesMessage(ValueError, "Task failed"):
            result.return_value  # noqa: B018 - reading it raises
        (error,) = result.errors
        self.assertIs(ConnectionError, error.exception_class)
        self.assertTrue(error.traceback.endswith("ConnectionError: the service does not answer\n"), error.traceback)

    def test_by_leaving_the_process(self):
        """SystemExit ends the task, not the worker, and is told as what it is."""
        result = tasks.leaves.enqueue()
        run_until_idle()
        result.refresh()

        (error,) = result.errors
        self.assertEqual((FAILED, SystemExit), (result.status, error.exception_class))
        self.assertTrue(error.traceback.endswith("SystemExit: enough\n"), error.traceback)

    def test_by_a_value_that_is_not_json(self):
        """It is refused as an argument would be."""
        result = tasks.not_json.enqueue()
        run_until_idle()
        result.refresh()

        (error,) = result.errors
        self.assertEqual((FAILED, TypeError), (result.status, error.exception_class))
        self.assertIn("Unsupported type", error.traceback)

    @override_settings(DURABLE_DJANGO={"MAX_PAYLOAD_BYTES": 1024})
    def test_by_a_value_that_is_too_large(self):
        """Its call took place, but no result can be kept of it."""
        result = tasks.repeat.enqueue("x", 2000)
        run_until_idle()
        result.refresh()

        self.assertEqual((FAILED, 1), (result.status, result.attempts))
        self.assertIn("PayloadTooLarge", result.errors[0].exception_class_path)

    def test_goes_on_when_it_is_resumed(self):
        """An operator's resume() runs it again."""
        tasks.Doing.failures = 1
        result = tasks.unreliable.enqueue("a")
        run_until_idle()
        row(get_handle(result.id)).resume()
        result.refresh()
        self.assertEqual(READY, result.status)
        run_until_idle()
        result.refresh()

        self.assertEqual((SUCCESSFUL, "a"), (result.status, result.return_value))


class TheStatus(TestCase):
    def test_is_one_of_four_for_each_of_the_seven_states(self):
        """What can still be run is ready, whatever it waits for; what was cancelled has failed."""
        result = tasks.add.enqueue(1)
        for status, expected in {
            "queued": READY,
            "waiting": READY,
            "paused": READY,
            "running": RUNNING,
            "succeeded": SUCCESSFUL,
            "failed": FAILED,
            "cancelled": FAILED,
        }.items():
            Workflow.objects.filter(pk=result.id).update(status=status, worker="w")
            with self.subTest(status=status):
                self.assertEqual(expected, read(result).status)

    def test_of_a_cancelled_task_is_explained(self):
        """The error names the class and the reason."""
        result = tasks.add.enqueue(1)
        Workflow.objects.get(pk=result.id).cancel("not wanted any more")

        (error,) = read(result).errors
        self.assertEqual("WorkflowCancelled", error.exception_class.__name__)
        self.assertIn("not wanted any more", error.traceback)

    def test_of_a_running_task_names_its_worker(self):
        """Its worker counts as an attempt that has begun."""
        result = tasks.add.enqueue(1)
        Workflow.objects.claim("w-1", "default", 1, names=["durable_django.task"])

        found = read(result)
        self.assertEqual((RUNNING, ["w-1"], 1), (found.status, found.worker_ids, found.attempts))
        self.assertEqual(found.started_at, found.last_attempted_at)


class AnId(TestCase):
    def test_that_belongs_to_no_task_is_refused(self):
        """Unknown ones, those of other workflows, and what is no id at all."""
        two_marks.using(id="6e6f2074-6173-4b20-8000-000000000000").start("a")
        for id_ in (
            "6e6f2074-6173-4b20-8000-000000000000",
            "6e6f2074-6173-4b20-8000-000000000001",
            "123",
            "",
            "a\0b",
            "\ud800",
            123,
            None,
            b"x",
            "x" * 5000,
        ):
            with self.subTest(id=id_), self.assertRaises(TaskResultDoesNotExist):
                tasks.add.get_result(id_)


class ATaskThatWasPruned(TestCase):
    def test_has_no_result_any_more(self):
        """Not even which task it was is left."""
        result = tasks.add.enqueue(1)
        run_until_idle()
        before = read(result).status
        sweep(days=31)

        self.assertEqual(SUCCESSFUL, before)
        with self.assertRaises(TaskResultDoesNotExist):
            read(result)


class ATaskThatIsGone(TestCase):
    def test_from_the_code_is_still_a_result(self):
        """Path, arguments and status are there; the function is one that refuses to be called."""
        result = tasks.add.enqueue(1)
        call = Workflow.objects.get(pk=result.id).arguments
        for path, reason in (
            ("tests.sample.tasks.gone", "that is nothing"),
            ("tests.sample.tasks.plain", "not a task"),
            ("no_such_app.tasks.add", "no module no_such_app"),
            ("os.path.join", "not a task"),
            ("add", "not the path of anything"),
            ("..", "not the path of anything"),
        ):
            Workflow.objects.filter(pk=result.id).update(arguments=call.replace("tests.sample.tasks.add", path))
            with self.subTest(path=path):
                found = read(result)
                self.assertEqual((READY, [1]), (found.status, found.args))
                self.assertTrue(found.task.module_path.endswith(path), found.task.module_path)
                with self.assertRaisesMessage(TaskFunctionMissing, reason):
                    found.task.call(1)

    def test_with_its_queue_is_still_a_result(self):
        """Neither the queue nor the backend of the row need be in today's settings."""
        result = tasks.write_letter.enqueue("a")
        other = tasks.write_letter.using(backend="any_queue", queue_name="night").enqueue("b")
        with override_settings(TASKS={"default": {"BACKEND": BACKEND, "QUEUES": ["elsewhere"]}}):
            found, found_other = read(result), read(other)

        self.assertEqual(("letters", "default"), (found.task.queue_name, found.backend))
        self.assertEqual(("night", "any_queue"), (found_other.task.queue_name, found_other.backend))
        self.assertEqual("tests.sample.tasks.write_letter", found_other.task.module_path)

    def test_with_its_arguments_is_still_a_result(self):
        """Other hands may have written what nobody can read."""
        result = tasks.add.enqueue(1)
        for arguments in ("", "{", "[]", '["x"]', '{"args": 5}', "[1, 2, 3]", '{"args": ["a.b", {"$py": "no"}, {}]}'):
            Workflow.objects.filter(pk=result.id).update(arguments=arguments)
            with self.subTest(arguments=arguments):
                found = read(result)
                self.assertEqual((READY, []), (found.status, found.args))

    def test_by_its_rows_has_no_result(self):
        """Who removes a workflow removes its result."""
        result = tasks.add.enqueue(1)
        Workflow._base_manager.all().delete()

        with self.assertRaises(TaskResultDoesNotExist):
            result.refresh()


class ATaskWithoutCodeHere(TestCase):
    def setUp(self):
        self.result = tasks.write_letter.enqueue("a")
        self.row = Workflow.objects.filter(pk=self.result.id)

    def test_waits_for_a_worker_that_has_it(self):
        """As in a deployment: it is looked at again after half a minute, and leaves no trace when it runs."""
        with mock.patch.object(tasks, "write_letter", None):
            run_until_idle()
            self.assertEqual(READY, read(self.result).status)
            self.assertEqual("code of task tests.sample.tasks.write_letter", self.row.get().waiting_for)
            with travel(timedelta(seconds=31)):
                self.assertEqual(1, run_until_idle())
        with travel(timedelta(seconds=62)):
            run_until_idle()

        self.assertEqual((SUCCESSFUL, 1), (read(self.result).status, read(self.result).attempts))

    def test_waits_for_code_in_async_workflows_too(self):
        """The event loop is left as the thread is."""
        result = tasks.add_async.enqueue(1)
        with mock.patch.object(tasks, "add_async", None):
            run_until_idle()
            self.assertEqual(READY, read(result).status)
        with travel(timedelta(seconds=31)):
            run_until_idle()

        self.assertEqual(1, read(result).return_value)

    def test_runs_nothing_that_is_not_a_task(self):
        """A row cannot make a worker call a function that nobody has made a task."""
        text = self.row.get().arguments.replace("write_letter", "plain")
        self.row.update(arguments=text)
        with mock.patch.object(tasks, "plain") as plain:
            run_until_idle()

        plain.assert_not_called()
        self.assertEqual(READY, read(self.result).status)


class AWorkerThatDies(TestCase):
    def test_behind_the_attempt_leaves_a_result(self):
        """The step is recorded: nothing is run again, and nothing is told of a second attempt."""
        result = tasks.retried.enqueue("a")
        step = mock.Mock()
        step.spec.name = "tests.sample.tasks.retried"
        with crash_after(step):
            run_until_idle()
        self.assertEqual(RUNNING, read(result).status)
        run_until_idle()

        found = read(result)
        self.assertEqual((SUCCESSFUL, "a"), (found.status, found.return_value))
        self.assertEqual(["a"], labels())
