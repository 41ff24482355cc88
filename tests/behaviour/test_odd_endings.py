"""Bodies that end in odd ways: each is an outcome with a clear error, or none at all; no row stays RUNNING."""

import asyncio
import sys

from django.test import TransactionTestCase

from durable_django import NotSerializable, StepAborted, StepError, WorkflowFailed, step, workflow
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, labels, row, steps
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_atomically, acts_itself
from tests.sample.workflows import mark


class Unprintable(Exception):
    """Raises whenever it is looked at."""

    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class Catastrophe(BaseException):
    """Not an Exception, and without words."""

    def __str__(self):
        raise RuntimeError("no words")


class Stubborn(Exception):
    """Its constructor wants more than it passes on."""

    def __init__(self, code, *, detail):
        super().__init__(f"{code}: {detail}")
        self.code = code


NOT_EXCEPTIONS = (SystemExit(3), GeneratorExit(), asyncio.CancelledError(), BaseException("base"), Catastrophe())
DEFINITIONS = (acts, acts_atomically, acts_itself)


def raising(error):
    """Return a body that leaves a mark, then raises."""

    def body():
        Mark.objects.create(label="body")
        raise error

    return body


def returning(value):
    """Return a body that leaves a mark, then returns a value."""

    def body():
        Mark.objects.create(label="body")
        return value

    return body


class OddEndingsTestCase(TransactionTestCase):
    def run_with(self, definition, body):
        """Run one workflow with this body. Return its handle."""
        Mark.objects.all().delete()
        handle = definition.start()
        with acting(body):
            run_until_idle()
        return handle.refresh()


class AStepThatIsLeftBySomethingElse(OddEndingsTestCase):
    def test_fails_with_step_aborted(self):
        """SystemExit and its like are a failure of the step, which the workflow may catch; the worker lives; G2, G3."""
        for definition in (acts, acts_atomically):
            for error in NOT_EXCEPTIONS:
                with self.subTest(definition=definition.name, error=type(error)):
                    handle = self.run_with(definition, raising(error))

                    with self.assertRaises(StepAborted) as caught:
                        handle.result()
                    self.assertIsInstance(caught.exception, StepError)
                    self.assertEqual(type(error).__name__, caught.exception.error)
                    self.assertIn("Raise an Exception to fail a step", str(caught.exception))
                    self.assertEqual(("failed", None), (row(handle).status, row(handle).worker))

    def test_is_rolled_back_if_atomic(self):
        """Whatever it is left by, the writes of its body are gone."""
        for error in NOT_EXCEPTIONS:
            with self.subTest(error=type(error)):
                self.run_with(acts_atomically, raising(error))

                self.assertEqual(["before"], labels())

    def test_by_sys_exit_does_not_end_the_worker(self):
        """Other workflows of the same turn run."""
        other = acts.start()
        handle = self.run_with(acts, sys.exit)

        self.assertEqual(("failed", "failed"), (row(handle).status, row(other).status))
        self.assertEqual(2, Step.objects.filter(name="act", error__contains="SystemExit").count())


class AKeyboardInterrupt(OddEndingsTestCase):
    def test_gives_the_workflow_back(self):
        """It is the worker's, not the step's: nothing is recorded, the row is queued again, it goes on; G1."""
        for definition in DEFINITIONS:
            with self.subTest(definition=definition.name):
                handle = definition.start()
                with acting(raising(KeyboardInterrupt())), self.assertRaises(KeyboardInterrupt):
                    run_until_idle()
                given_back = row(handle)
                recorded = steps(handle)
                with acting(lambda: "again"):
                    run_until_idle()

                self.assertEqual(("queued", None), (given_back.status, given_back.worker))
                self.assertEqual(["mark_atomically"], recorded)
                self.assertEqual("again", handle.refresh().result())


class AnErrorThatCannotBeLookedAt(OddEndingsTestCase):
    def test_is_recorded_all_the_same(self):
        """An exception whose __str__ raises fails step and workflow, readably; H10."""
        for definition in DEFINITIONS:
            with self.subTest(definition=definition.name):
                handle = self.run_with(definition, raising(Unprintable(1)))

                with self.assertRaises(Unprintable):
                    handle.result()
                self.assertIn("Unprintable", row(handle).error)

    def test_that_cannot_be_constructed_is_rebuilt(self):
        """Arguments and attributes come back without its constructor."""
        for definition in DEFINITIONS:
            with self.subTest(definition=definition.name):
                handle = self.run_with(definition, raising(Stubborn(7, detail="x")))

                with self.assertRaisesMessage(Stubborn, "7: x") as caught:
                    handle.result()
                self.assertEqual(7, caught.exception.code)


class AResultThatCannotBeStored(OddEndingsTestCase):
    def test_fails_the_step_once(self):
        """The error names step and path; a plain body is not repeated, an atomic one is rolled back; H8."""
        for definition, expected in ((acts, ["before", "body"]), (acts_atomically, ["before"])):
            with self.subTest(definition=definition.name):
                handle = self.run_with(definition, returning({"open": [sys.stdout]}))

                with self.assertRaises(NotSerializable) as caught:
                    handle.result()
                self.assertRegex(
                    str(caught.exception), r"the result of step 'act\w*'\[\"open\"\]\[0\] cannot be stored"
                )
                self.assertEqual(expected, labels())

    def test_fails_the_workflow(self):
        """The error names the workflow; its steps stay recorded."""
        handle = results_in_a_file.start()
        run_until_idle()

        with self.assertRaisesMessage(NotSerializable, f"the result of workflow {handle.id!r}"):
            handle.result()
        self.assertEqual((["mark"], "failed"), (steps(handle), row(handle).status))

    def test_can_be_caught_by_the_workflow(self):
        """It is a TypeError of the step."""
        handle = catches_what_cannot_be_stored.start()

        run_until_idle()

        self.assertIn("cannot be stored", handle.result())


@workflow
def results_in_a_file():
    mark("a")
    return sys.stdout


@step
def returns_a_file():
    return sys.stdout


@workflow
def catches_what_cannot_be_stored():
    try:
        returns_a_file()
    except TypeError as error:
        return str(error)


class AWorkflowThatIsLeftBySomethingElse(OddEndingsTestCase):
    def test_fails_with_its_name(self):
        """SystemExit, GeneratorExit, CancelledError, any BaseException: FAILED, the type is told."""
        for error in NOT_EXCEPTIONS:
            with self.subTest(error=type(error)):
                handle = self.run_with(acts_itself, raising(error))

                with self.assertRaises(WorkflowFailed) as caught:
                    handle.result()
                self.assertEqual(type(error).__name__, caught.exception.type)
                self.assertEqual(("failed", None), (row(handle).status, row(handle).worker))

    def test_fails_in_a_group_too(self):
        """A BaseExceptionGroup is no Exception."""
        group = BaseExceptionGroup("many", [SystemExit(1), ValueError("x")])
        handle = self.run_with(acts_itself, raising(group))

        with self.assertRaises(WorkflowFailed):
            handle.result()

    def test_fails_for_a_recursion_without_end(self):
        """RecursionError and MemoryError are Exceptions like others."""

        def dive():
            dive()

        for definition in DEFINITIONS:
            for body, kind in ((dive, RecursionError), (raising(MemoryError()), MemoryError)):
                with self.subTest(definition=definition.name, kind=kind):
                    handle = self.run_with(definition, body)
                    with self.assertRaises(kind):
                        handle.result()

    def test_leaves_no_row_running(self):
        """After all of this nothing is held by anybody."""
        for error in NOT_EXCEPTIONS:
            self.run_with(acts_itself, raising(error))

        self.assertFalse(Workflow.objects.running().exists())
        self.assertFalse(Workflow.objects.filter(worker__isnull=False).exists())
