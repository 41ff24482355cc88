"""The signals of django.tasks: sent robustly, once for each attempt and each end, with what receivers need."""

import logging
import sys
from contextlib import contextmanager
from unittest import mock

from django.test import TestCase

from durable_django.models import Workflow
from durable_django.tasks import DurableBackend
from durable_django.tasks.sources import TaskResultStatus, task_enqueued, task_finished, task_started
from durable_django.testing import crash_after, run_until_idle, travel
from tests.sample import tasks
from tests.sample.tasks import Doing


@contextmanager
def heard():
    """Fill the list with (signal, sender, status, attempts, errors) of what is sent meanwhile."""
    seen = []
    receivers = {}
    for name, signal in (("enqueued", task_enqueued), ("started", task_started), ("finished", task_finished)):

        def receive(sender, task_result, name=name, **_facts):
            seen.append((name, sender, str(task_result.status), task_result.attempts, len(task_result.errors)))

        receivers[signal] = receive
        signal.connect(receive)
    try:
        yield seen
    finally:
        for signal, receiver in receivers.items():
            signal.disconnect(receiver)


@contextmanager
def breaking(*signals):
    """Let a receiver of each signal raise; what Django says of it is not news."""
    calls = []

    def receiver(**_facts):
        calls.append("called")
        raise ZeroDivisionError("a receiver")

    for signal in signals:
        signal.connect(receiver)
    logging.getLogger("django.dispatch").addHandler(logging.NullHandler())
    try:
        yield calls
    finally:
        for signal in signals:
            signal.disconnect(receiver)


class SignalsTestCase(TestCase):
    def setUp(self):
        Doing.failures, Doing.error, Doing.seen = 0, ConnectionError("the service does not answer"), []


class TheSignals(SignalsTestCase):
    def test_tell_of_enqueueing_start_and_end(self):
        """The sender is the class of the backend; sync and async tasks are told of alike."""
        for task in (tasks.add, tasks.add_async):
            with self.subTest(task=task), heard() as seen:
                task.enqueue(1)
                run_until_idle()
            self.assertEqual(
                [
                    ("enqueued", DurableBackend, "READY", 0, 0),
                    ("started", DurableBackend, "RUNNING", 1, 0),
                    ("finished", DurableBackend, "SUCCESSFUL", 1, 0),
                ],
                seen,
            )

    def test_tell_of_each_attempt_but_of_one_end(self):
        """A failure that is tried again is no end."""
        Doing.failures = 1
        with heard() as seen:
            tasks.retried.enqueue("a")
            run_until_idle()
            with travel(seconds=120):
                run_until_idle()

        self.assertEqual(
            [("READY", 0), ("RUNNING", 1), ("RUNNING", 2), ("SUCCESSFUL", 2)],
            [(status, attempts) for _name, _sender, status, attempts, _errors in seen],
        )

    def test_tell_nothing_twice_after_a_crash(self):
        """A replay behind a recorded attempt starts nothing; only the end is told, once it is committed."""
        step = mock.Mock()
        step.spec.name = "tests.sample.tasks.add_async"
        with heard() as seen:
            tasks.add_async.enqueue(1)
            with crash_after(step):
                run_until_idle()
            run_until_idle()

        self.assertEqual(["enqueued", "started", "finished"], [name for name, *_rest in seen])

    def test_come_after_the_commit(self):
        """A receiver of the end finds the outcome in the row, and the moments in the result."""
        seen = []

        def receive(task_result, **_facts):
            status = Workflow.objects.get(pk=task_result.id).status
            moments = (task_result.enqueued_at, task_result.started_at, task_result.finished_at)
            seen.append((status, task_result.return_value, all(moments)))

        task_finished.connect(receive)
        try:
            tasks.add.enqueue(1)
            run_until_idle()
        finally:
            task_finished.disconnect(receive)

        self.assertEqual([("succeeded", 1, True)], seen)

    def test_of_a_failure_have_the_error_at_hand(self):
        """Receivers find it in sys.exc_info(), as those of Django do, which log it."""
        Doing.failures = 1
        seen = []

        def receive(task_result, **_facts):
            seen.append((task_result.status, sys.exc_info()[1]))

        task_finished.connect(receive)
        try:
            tasks.unreliable.enqueue("a")
            run_until_idle()
        finally:
            task_finished.disconnect(receive)

        self.assertEqual([(TaskResultStatus.FAILED, Doing.error)], seen)


class AReceiverThatFails(SignalsTestCase):
    def test_harms_no_task(self):
        """Neither the enqueueing, nor the run, nor the end."""
        for task in (tasks.add, tasks.add_async):
            with self.subTest(task=task), breaking(task_enqueued, task_started, task_finished) as calls:
                result = task.enqueue(1)
                run_until_idle()
                result.refresh()
            self.assertEqual((1, 3), (result.return_value, len(calls)))
