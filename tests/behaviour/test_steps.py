"""Steps: recorded once, answered from their rows ever after; ordinary calls everywhere else."""

from unittest import mock

from django.db import transaction
from django.test import TestCase, TransactionTestCase

from durable_django import current_step, run_step, step, workflow
from durable_django.engine import stepping
from durable_django.models import Step
from durable_django.testing import crash_after, crash_before, run_until_idle
from tests.behaviour.support import acting, labels, row, steps
from tests.sample.models import Mark
from tests.sample.promises import act, act_atomically, acts, acts_atomically, echoes, fails, three_marks
from tests.sample.workflows import mark, mark_atomically


class ARecordedStep(TestCase):
    def test_is_a_row_with_name_position_and_output(self):
        """Positions count from 1 in the order of the calls; the name is the qualified name."""
        handle = three_marks.start("a")

        run_until_idle()

        rows = list(Step.objects.filter(workflow=handle.id).order_by("position"))
        self.assertEqual([(1, "mark"), (2, "mark_atomically"), (3, "mark")], [(r.position, r.name) for r in rows])
        self.assertEqual(['"a-1"', '"a-2"', '"a-3"'], [r.output for r in rows])
        self.assertEqual({("", "step", None, 1, 0)}, {(r.branch, r.kind, r.error, r.attempt, r.retries) for r in rows})
        self.assertTrue(all(r.started_at <= r.finished_at for r in rows))

    def test_is_not_run_again_by_a_later_attempt(self):
        """After a crash behind it, it answers from its row; steps before and after it are run once."""
        for crashed in (mark, mark_atomically):
            with self.subTest(crashed=crashed.name):
                Mark.objects.all().delete()
                handle = three_marks.start("a")
                with crash_after(crashed):
                    run_until_idle()
                run_until_idle()

                self.assertEqual(["a-1", "a-2", "a-3"], labels())
                self.assertEqual(["a-1", "a-2", "a-3"], handle.result())
                self.assertEqual(2, row(handle).attempt)

    def test_that_was_interrupted_runs_again(self):
        """A crash before the body, or between body and checkpoint, repeats a plain step; A6."""
        for block in (crash_before(act), crash_after(act, recorded=False)):
            with self.subTest(block=block), acting(lambda: Mark.objects.create(label="body") and None):
                Mark.objects.all().delete()
                handle = acts.start()
                with block:
                    run_until_idle()
                run_until_idle()

                self.assertEqual("succeeded", row(handle).status)
                self.assertEqual(["before", "after"], [each for each in labels() if each != "body"])
        self.assertEqual(2, labels().count("body"))

    def test_of_a_crash_after_the_last_one_is_replayed_alone(self):
        """The outcome was not written: the next attempt runs no body and writes it; A7."""
        handle = three_marks.start("a")
        with crash_after(mark, times=2):
            run_until_idle()  # behind the first mark
            run_until_idle()  # behind the last one
        marks = labels()

        run_until_idle()

        self.assertEqual(marks, labels())
        self.assertEqual(["a-1", "a-2", "a-3"], handle.result())


class AnAtomicStep(TransactionTestCase):
    def test_that_is_interrupted_leaves_nothing(self):
        """A crash between body and COMMIT rolls writes and checkpoint back; then both happen once; A1."""
        with acting(lambda: Mark.objects.create(label="body") and None):
            handle = acts_atomically.start()
            with crash_after(act_atomically, recorded=False):
                run_until_idle()
            after_crash = labels(), steps(handle)
            run_until_idle()

        self.assertEqual((["before"], ["mark_atomically"]), after_crash)
        self.assertEqual(["before", "body", "after"], labels())

    def test_that_fails_leaves_its_error_only(self):
        """The body's writes are rolled back, the error is recorded."""

        def body():
            Mark.objects.create(label="body")
            raise LookupError("no such order")

        with acting(body):
            handle = acts_atomically.start()
            run_until_idle()

        self.assertEqual(["before"], labels())
        self.assertEqual(["mark_atomically", "act_atomically"], steps(handle))
        with self.assertRaisesMessage(LookupError, "no such order"):
            handle.result()

    def test_runs_in_a_transaction_of_its_own(self):
        """The body is in atomic(durable=True) on the database of the workflow tables; a plain one is not."""
        connection = transaction.get_connection()
        with acting(lambda: (connection.in_atomic_block, connection.atomic_blocks[-1].durable)):
            handle = acts_atomically.start()
            run_until_idle()
        self.assertEqual((True, True), handle.result())

        with acting(lambda: connection.in_atomic_block):
            handle = acts.start()
            run_until_idle()
        self.assertIs(False, handle.result())


class OutsideAWorkflow(TransactionTestCase):
    def test_a_step_is_an_ordinary_call(self):
        """Nothing is recorded, the value is the very object, errors pass through."""
        value = object()
        with acting(lambda: value):
            self.assertIs(value, act())
        with acting(lambda: 1 / 0), self.assertRaises(ZeroDivisionError):
            act()

        self.assertFalse(Step.objects.exists())

    def test_an_atomic_step_is_a_transaction(self):
        """Its writes are committed together or not at all."""

        def body():
            Mark.objects.create(label="body")
            raise LookupError

        with acting(body), self.assertRaises(LookupError):
            act_atomically()

        self.assertEqual([], labels())
        self.assertEqual("a", mark_atomically("a"))

    def test_an_atomic_step_joins_the_callers_transaction(self):
        """A rollback of the caller's block takes its writes along."""
        with transaction.atomic():
            mark_atomically("a")
            transaction.set_rollback(True)

        self.assertEqual([], labels())

    def test_a_step_knows_that_it_is_none(self):
        """current_step() is None."""
        with acting(current_step):
            self.assertIsNone(act())


class Desk:
    """A class with steps of each kind."""

    def __init__(self, name):
        self.name = name

    @step
    def greet(self, guest):
        return f"{self.name} greets {guest}"

    @staticmethod
    @step
    def close(hour):
        return f"closed at {hour}"

    @step(name="desk.count", atomic=True)
    @staticmethod
    def count(first, *rest, last=0):
        return first + sum(rest) + last


@step
def outer_step(label):
    return [mark(f"{label}-inner"), mark_atomically(f"{label}-atomic"), current_step().name]


@workflow
def nests_steps(label):
    return [outer_step(label), mark(f"{label}-next")]


@workflow
def uses_methods():
    desk = Desk("Ann")
    return [desk.greet("Bob"), Desk.close(18), Desk.count(1, 2, last=3)]


def shout(word, times=1):
    return word.upper() * times


class Shouter:
    """A callable without a name of its own."""

    def __call__(self, word):
        return word.upper()


@workflow
def runs_in_line():
    return [
        run_step(shout, "a", times=2),
        run_step(lambda: mark("inner"), name="fetch"),
        run_step(Shouter(), "b"),
        run_step(Mark.objects.create, label="row", name="row", atomic=True).label,
    ]


class AStepInAStep(TestCase):
    def test_is_part_of_the_outer_step(self):
        """Only the outer one is recorded, with its own name and position."""
        handle = nests_steps.start("a")

        run_until_idle()

        self.assertEqual(["outer_step", "mark"], steps(handle))
        self.assertEqual([["a-inner", "a-atomic", "outer_step"], "a-next"], handle.result())

    def test_is_repeated_with_the_outer_step(self):
        """It has no checkpoint of its own."""
        handle = nests_steps.start("a")
        with crash_after(outer_step, recorded=False):
            run_until_idle()
        run_until_idle()

        self.assertEqual(["a-inner", "a-atomic"] * 2 + ["a-next"], labels())
        self.assertEqual("succeeded", row(handle).status)


class AMethod(TestCase):
    def test_can_be_a_step(self):
        """Instance and static methods bind as functions do; their arguments are not stored."""
        handle = uses_methods.start()

        run_until_idle()

        self.assertEqual(["Ann greets Bob", "closed at 18", 6], handle.result())
        self.assertEqual(["Desk.greet", "Desk.close", "desk.count"], steps(handle))


class RunStep(TestCase):
    def test_makes_a_step_of_any_callable(self):
        """Functions, lambdas, objects and bound methods, recorded under a given name or their own."""
        handle = runs_in_line.start()

        run_until_idle()

        self.assertEqual(["shout", "fetch", "Shouter", "row"], steps(handle))
        self.assertEqual(["AA", "inner", "B", "row"], handle.result())

    def test_outside_a_workflow_is_an_ordinary_call(self):
        """As a step is."""
        self.assertEqual("AA", run_step(shout, "a", times=2))


class TheFirstRun(TestCase):
    def test_sees_the_value_that_a_replay_will_see(self):
        """A step's result is a decoded copy: not the object that the body returned and still holds."""
        held = [[1], {"a": (2,)}]
        seen = []
        with acting(lambda: held):
            handle = acts.start()
            with mark_watched(seen):
                run_until_idle()

        self.assertEqual([held, held], [handle.result(), seen[0]])
        self.assertIsNot(held, seen[0])

    def test_sees_its_arguments_decoded(self):
        """What the caller changes after the start changes nothing."""
        argument = {"lines": [1]}
        handle = echoes.start(argument)
        argument["lines"].append(2)

        run_until_idle()

        self.assertEqual({"lines": [1]}, handle.result())


def mark_watched(seen):
    """Keep what the step `act` gives its caller."""
    whole = stepping._until_outcome

    def watched(call, pause):
        value = yield from whole(call, pause)
        if call.spec.name == "act":
            seen.append(value)
        return value

    return mock.patch.object(stepping, "_until_outcome", watched)


@step
def careful(number):
    Mark.objects.create(label=f"careful {number}")
    if number == 2:
        raise ValueError("two", {"tried": 2})
    return number


@workflow
def goes_on_after_an_error():
    found = []
    for number in (1, 2, 3):
        try:
            found.append(careful(number))
        except ValueError as error:
            found.append(list(error.args))
    mark("end")
    return found


class ARecordedError(TestCase):
    def test_is_raised_again_on_replay(self):
        """The code that caught it takes the same turn; the step does not run again."""
        handle = goes_on_after_an_error.start()
        with crash_before(mark):
            run_until_idle()
        run_until_idle()

        self.assertEqual([1, ["two", {"tried": 2}], 3], handle.result())
        self.assertEqual(["careful 1", "careful 2", "careful 3", "end"], labels())

    def test_stands_in_the_row(self):
        """A step's row holds an output or an error."""
        handle = fails.start(LookupError("x"))

        run_until_idle()

        recorded = Step.objects.get(workflow=handle.id)
        self.assertIsNone(recorded.output)
        self.assertIn("LookupError", recorded.error)
        self.assertEqual("failed", recorded.state)
