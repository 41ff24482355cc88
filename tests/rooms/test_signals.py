"""signals.py: each signal is sent with the arguments that its documentation names, and no receiver does harm."""

import ast
import re
from contextlib import contextmanager
from pathlib import Path

from django.db import OperationalError, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase

import durable_django
from durable_django import Retry, signals, workflow
from durable_django.base import hosts
from durable_django.engine.ownership import Ownership
from durable_django.models import Worker, Workflow
from durable_django.testing import crash_after, run_until_idle, travel
from durable_django.worker.janitor import Janitor
from durable_django.worker.looks import Look
from tests.behaviour.states import claim
from tests.behaviour.support import acting, labels, row
from tests.sample.promises import acts, acts_atomically, acts_itself, three_marks
from tests.sample.workflows import Flaky, mark, retried, two_marks

SOURCE = Path(durable_django.__file__).parent
OF_A_WORKFLOW = {"workflow_id", "name", "queue", "attempt"}


def documented():
    """Return the arguments of each signal, as the module's docstring says."""
    lines = re.findall(r"^(\w+) +\S.*?(?:  |(?<=failed) |(?<=it\)) )((?:\w+, )*\w+)$", signals.__doc__, re.MULTILINE)
    return {name: set(arguments.split(", ")) for name, arguments in lines}


@contextmanager
def heard():
    """Fill the dict with what each signal was sent with: a list of its arguments."""
    seen = {}
    receivers = {name: receiver_of(name, seen) for name in documented()}
    for name, receive in receivers.items():
        getattr(signals, name).connect(receive)
    try:
        yield seen
    finally:
        for name, receive in receivers.items():
            getattr(signals, name).disconnect(receive)


def receiver_of(name, seen):
    """Return a receiver that keeps what the signal of that name is sent with."""

    def receive(signal, **facts):  # noqa: ARG001 - Django passes it
        seen.setdefault(name, []).append(facts)

    return receive


class TheDocumentation(SimpleTestCase):
    def test_names_every_signal(self):
        """None more, none less."""
        sent = {name for name, value in vars(signals).items() if type(value).__name__ == "Signal"}

        self.assertEqual(sent, set(documented()))

    def test_agrees_with_every_place_that_sends(self):
        """Read from the source: each send_robust() has just the documented arguments."""
        found = set()
        for path in SOURCE.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name, arguments = self.sent_by(node)
                if name:
                    with self.subTest(signal=name, path=path.name, line=node.lineno):
                        self.assertEqual(documented()[name], arguments)
                    found.add(name)

        self.assertEqual(set(documented()), found)

    @staticmethod
    def sent_by(node):
        """Return which signal a call sends, and with which arguments; the sender is not one of them."""
        if not isinstance(node, ast.Call):
            return None, None
        text = ast.unparse(node.func)
        keywords = {keyword.arg for keyword in node.keywords} - {"sender"}
        if match := re.fullmatch(r"signals\.(\w+)\.send_robust", text):
            return match[1], keywords
        first = ast.unparse(node.args[0]) if node.args else ""
        if text == "_send" and first.startswith("signals."):
            return first.removeprefix("signals."), keywords | OF_A_WORKFLOW
        return None, None

    def test_allows_no_other_way_to_send(self):
        """send() would let a receiver's error into the engine."""
        for path in SOURCE.rglob("*.py"):
            self.assertNotRegex(path.read_text(encoding="utf-8"), r"signals\.\w+\.a?send\(")


@workflow(retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def fails_twice():
    raise OSError("x")


class SignalTestCase(TestCase):
    def assert_heard(self, seen, *names):
        """Each of these was sent, with the documented arguments."""
        for name in names:
            self.assertIn(name, seen)
            for facts in seen[name]:
                self.assertEqual(documented()[name], set(facts) - {"sender"})


class TheSignalsOfARun(SignalTestCase):
    def test_of_a_success(self):
        """Started, each step recorded, succeeded; the sender is the workflow's name."""
        with heard() as seen:
            handle = two_marks.using(id="order-7").start("a")
            run_until_idle()

        self.assert_heard(seen, "workflow_started", "step_recorded", "workflow_succeeded")
        self.assertEqual({"workflow_started", "step_recorded", "workflow_succeeded"}, set(seen))
        self.assertEqual(["mark_atomically", "mark"], [facts["step"] for facts in seen["step_recorded"]])
        facts = {"workflow_id": handle.id, "name": "sample.two_marks", "queue": "default", "attempt": 1}
        self.assertEqual({"sender": "sample.two_marks", **facts}, seen["workflow_succeeded"][0])

    def test_of_a_failure(self):
        """The error is told with the step and with the workflow."""
        with heard() as seen, acting(lambda: 1 / 0):
            acts.start()
            run_until_idle()

        self.assert_heard(seen, "step_recorded", "workflow_failed")
        self.assertIsInstance(seen["workflow_failed"][0]["error"], ZeroDivisionError)

    def test_of_retries(self):
        """A step between two calls, a workflow between two runs, and the suspension that follows."""
        self.addCleanup(setattr, Flaky, "failures", 0)
        Flaky.failures = 1
        with heard() as seen:
            retried.start("a")
            fails_twice.start()
            run_until_idle()

        self.assert_heard(seen, "step_retrying", "workflow_suspended", "workflow_retrying")
        self.assertEqual(
            (10, 10), (seen["step_retrying"][0]["delay_seconds"], seen["workflow_retrying"][0]["delay_seconds"])
        )

    def test_of_a_pause(self):
        """By an operator: let go. By code that does not fit: paused, with the reason."""
        with heard() as seen:
            with acting(lambda: Workflow.objects.get().pause()):
                acts.start()
                run_until_idle()
            Workflow.objects.update(status="queued", arguments="{")
            run_until_idle()

        self.assert_heard(seen, "workflow_let_go", "workflow_paused")

    def test_of_a_recovery(self):
        """How many were put back, and how many ended."""
        claim(two_marks.start("a"))
        Worker.objects.expire()
        with heard() as seen:
            run_until_idle()

        self.assert_heard(seen, "workflows_recovered")
        self.assertEqual({"sender": None, "count": 1, "exhausted": 0}, seen["workflows_recovered"][0])

    def test_of_an_exhausted_workflow(self):
        """It failed: told as any other failure."""
        two_marks.start("a")
        Workflow.objects.update(max_recoveries=0)
        claim(row_handle())
        Worker.objects.expire()
        with heard() as seen:
            run_until_idle()

        self.assert_heard(seen, "workflows_recovered", "workflow_failed")

    def test_of_a_replay_are_not_sent_again(self):
        """A recorded step is told once, when it is committed."""
        with heard() as seen:
            three_marks.start("a")
            with crash_after(mark):
                run_until_idle()
            run_until_idle()

        self.assertEqual([1, 2, 3], [facts["position"] for facts in seen["step_recorded"]])

    def test_of_a_lost_neighbour(self):
        """A worker of this machine whose process is gone."""
        if not hosts.host()["boot_id"]:
            self.skipTest("only Linux shows its processes")
        Worker.objects.register("gone", 3600, **hosts.host(), pid=2**22 + 7, process_started_at="1")
        with heard() as seen:
            Janitor("default").tidy(Look(), Ownership("me"))

        self.assert_heard(seen, "worker_lost")
        self.assertEqual("gone", seen["worker_lost"][0]["worker_id"])


def row_handle():
    """Return a handle to the only workflow there is."""
    return durable_django.get_handle(Workflow.objects.get().pk)


class TheSignalsOfTrouble(TransactionTestCase):
    def test_of_a_database_that_was_away(self):
        """A body that the database failed runs again, and both is told."""
        errors = [OperationalError("gone")]

        def body():
            if errors:
                raise errors.pop()
            return "done"

        with heard() as seen, acting(body):
            handle = acts.start()
            run_until_idle()

        self.assertEqual("done", handle.result())
        for name in ("step_rerun", "database_away"):
            self.assertEqual(documented()[name], set(seen[name][0]) - {"sender"})

    def test_of_a_hook_that_failed(self):
        """on_commit() of an atomic body raised behind the commit."""

        def body():
            transaction.on_commit(lambda: 1 / 0)

        with heard() as seen, acting(body):
            handle = acts_atomically.start()
            run_until_idle()

        self.assertIsNone(handle.result())
        self.assertIsInstance(seen["step_hook_failed"][0]["error"], ZeroDivisionError)


class AReceiverThatRaises(TestCase):
    def test_harms_no_workflow(self):
        """Whatever it is connected to: the workflow ends as it would without it."""

        def raise_(**_facts):
            raise LookupError("receiver")

        for name in documented():
            getattr(signals, name).connect(raise_)
            self.addCleanup(getattr(signals, name).disconnect, raise_)
        self.addCleanup(setattr, Flaky, "failures", 0)
        Flaky.failures = 1
        handles = [two_marks.start("a"), retried.start("b"), acts_itself.start()]
        with self.assertLogs("django.dispatch"):
            run_until_idle()
            with travel(seconds=11):
                run_until_idle()

        self.assertEqual({"succeeded"}, {row(handle).status for handle in handles})
        self.assertIn("a-plain", labels())
