"""Children: started under ids that a replay makes again, once, and with the deadline of their parent."""

from unittest import mock

from django.test import TestCase

from durable_django import (
    OutsideWorkflow,
    WorkflowConflict,
    WorkflowHandle,
)
from durable_django.base import payloads
from durable_django.models import Workflow
from durable_django.testing import crash_after, crash_before, run_until_idle, travel
from tests.behaviour.support import acting, labels, row, steps, waiting
from tests.sample import branching
from tests.sample.branching import child, children_of, mark, starts_in_step
from tests.sample.promises import acts, acts_itself


def run(definition, *args, **kwargs):
    """Start a workflow under the id "order-7" and run until idle. Return its handle."""
    return waiting(definition.using(id="order-7"), *args, **kwargs)


def acting_itself(act):
    """Run a workflow whose own code does this. Return its handle."""
    with acting(act):
        return waiting(acts_itself)


class AChild(TestCase):
    def test_is_a_workflow_of_its_own(self):
        """It has a row, a history and an outcome; the parent has its start and its result among its steps."""
        handle = run(branching.calls_a_child, 4)

        self.assertEqual(9, handle.result())
        self.assertEqual(["sample.child", "result"], steps(handle))
        self.assertEqual(
            ("succeeded", ["mark"]), (row(WorkflowHandle("order-7/1")).status, steps(WorkflowHandle("order-7/1")))
        )

    def test_has_an_id_made_of_its_place(self):
        """That of the parent, and the position of the start; a start by hand or by a call makes no difference."""
        handle = run(branching.starts_and_waits, 1, 2)

        self.assertEqual([2, 4], handle.result())
        self.assertEqual(["order-7/1", "order-7/2"], children_of(handle))

    def test_is_found_again_after_a_crash(self):
        """The parent dies behind the start: the replay waits for the same child, which runs once."""
        with crash_after(mark):
            handle = run(branching.starts_and_waits, 1, 2)
        run_until_idle()

        self.assertEqual([2, 4], handle.result())
        self.assertEqual(["order-7/1", "order-7/2"], children_of(handle))
        self.assertEqual(1, labels().count("child-1"))

    def test_may_be_given_an_id(self):
        """Then it is one workflow for all who start it."""
        first = acting_itself(lambda: child.using(id="shared").start(4).result())
        second = acting_itself(lambda: child.using(id="shared").start(4).result())

        self.assertEqual([8, 8], [first.result(), second.result()])
        self.assertEqual(["child-4"], [label for label in labels() if label.startswith("child")])

    def test_with_the_id_of_another_workflow_is_a_conflict(self):
        """As for every start: the error is raised in the parent, and recorded."""
        child.using(id="shared").start(4)

        handle = acting_itself(lambda: child.using(id="shared").start(5))

        with self.assertRaises(WorkflowConflict):
            handle.result()
        self.assertEqual(["mark_atomically", "sample.child"], steps(handle))

    def test_does_not_inherit_options(self):
        """Queue, priority, attributes and the rest are the child's own."""
        configured = acts_itself.using(queue="second", priority=7, attributes={"a": 1}, user="u")
        with acting(lambda: child.start(4).id):
            handle = waiting(configured)

        found = Workflow.objects.get(pk=handle.result())
        self.assertEqual(("default", 0, {}, ""), (found.queue, found.priority, found.attributes, found.started_by))
        self.assertEqual(handle.id, found.parent_id)

    def test_that_nobody_waits_for_goes_on(self):
        """The parent may end before it."""
        handle = run(branching.starts_and_goes, 2)

        self.assertEqual(["order-7/1", "order-7/2"], handle.result())
        self.assertEqual(["waiting"] * 2, [row(WorkflowHandle(each)).status for each in handle.result()])

    def test_outside_of_a_workflow_is_none(self):
        """A plain start has no parent."""
        self.assertIsNone(row(child.start(4)).parent_id)

    def test_is_a_row_of_its_parent(self):
        """The parent's row leads to it."""
        handle = run(branching.calls_a_child, 4)

        self.assertEqual(["order-7/1"], [each.pk for each in row(handle).children.all()])

    def test_whose_parent_has_a_long_id_has_a_shorter_one(self):
        """An id has at most 255 characters: what would be longer is a digest, the same at every replay."""
        handles = []
        for crash in (False, True):
            definition = branching.starts_and_waits.using(id=("é" if crash else "x") * 255)
            if crash:
                with crash_after(mark):
                    handles.append(waiting(definition, 4))
                run_until_idle()
            else:
                handles.append(waiting(definition, 4))

        for handle in handles:
            (child_id,) = children_of(handle)
            self.assertEqual(([8], 64), (handle.refresh().result(), len(child_id)))


class ManyChildren(TestCase):
    def test_are_started_in_one_step(self):
        """start_many() takes one position, whatever the number of calls."""
        handle = run(branching.starts_many, 5)

        self.assertEqual([0, 2, 4, 6, 8], handle.result())
        self.assertEqual(["sample.child", *["result"] * 5], steps(handle))
        self.assertEqual(5, len(children_of(handle)))

    def test_are_started_once(self):
        """After a crash behind the start the same children are waited for."""
        with crash_before(mark):
            handle = waiting(branching.starts_many, 5)
        run_until_idle()

        self.assertEqual([0, 2, 4, 6, 8], handle.result())
        self.assertEqual(6, Workflow.objects.count())

    def test_may_be_alike(self):
        """Equal calls are numbered: each is a child."""

        def start_alike():
            return [handle.result() for handle in child.start_many([(1,), (1,), (2,)])]

        handle = acting_itself(start_alike)

        self.assertEqual([2, 2, 4], handle.result())
        self.assertEqual(3, len(children_of(handle)))


class AChildStartedInAStep(TestCase):
    def test_is_started_once_by_a_plain_step_that_runs_again(self):
        """Its id derives from what is started: the step that died before its record finds its children again."""
        with crash_after(branching.start_in_plain_step, recorded=False):
            handle = waiting(starts_in_step, 1, 2)
        run_until_idle()

        self.assertEqual(handle.result(), children_of(handle))
        self.assertEqual(2, len(handle.result()))
        self.assertEqual(2, len([label for label in labels() if label.startswith("child")]))

    def test_differs_from_one_started_with_other_arguments(self):
        """A plain step that runs again another way neither fails nor passes one child off for another."""
        numbers = iter([[1, 2], [2, 3]])
        with acting_on_start(lambda: next(numbers)), crash_after(branching.start_in_plain_step, recorded=False):
            handle = waiting(starts_in_step)
            run_until_idle()

        arguments = [
            payloads.decode_call(text)[0][0]
            for text in Workflow.objects.filter(parent=handle.id).order_by("line").values_list("arguments", flat=True)
        ]
        self.assertEqual(([1, 2, 3], 2), (arguments, len(handle.result())))

    def test_is_one_of_several_alike(self):
        """Equal starts of one step are numbered: each is a child, at every rerun the same."""
        with crash_after(branching.start_in_plain_step, recorded=False):
            handle = waiting(starts_in_step, 1, 1)
        run_until_idle()

        self.assertEqual(2, len(set(handle.result())))
        self.assertEqual(handle.result(), children_of(handle))

    def test_is_rolled_back_with_an_atomic_step(self):
        """The start joins its transaction."""

        def refuse():
            raise LookupError("no")

        with acting(refuse):
            handle = waiting(starts_in_step, 1, is_atomic=True)

        with self.assertRaises(LookupError):
            handle.result()
        self.assertEqual([], children_of(handle))

    def test_is_committed_with_an_atomic_step(self):
        """It is there once, and runs after the commit."""
        with crash_after(branching.start_in_atomic_step, recorded=False):
            handle = waiting(starts_in_step, 1, is_atomic=True)
        run_until_idle()

        self.assertEqual(handle.result(), children_of(handle))
        self.assertEqual(1, labels().count("child-1"))

    def test_cannot_be_waited_for_there(self):
        """Neither by a call nor by result(): a step runs in one piece."""
        for wait in (lambda: child(4), lambda: child.start(4).result()):
            with self.subTest(), acting(wait):
                handle = waiting(acts)
                with self.assertRaises(OutsideWorkflow):
                    handle.result()


def acting_on_start(numbers):
    """Let `start_in_plain_step` start children with these numbers, asked for in each call."""
    body = branching.start_in_plain_step.spec.func
    return mock.patch.object(branching.start_in_plain_step.spec, "func", lambda _given: body(numbers()))


class TheDeadlineOfAChild(TestCase):
    def test_is_that_of_its_parent(self):
        """The same moment, however late the child is claimed; also of those that start_many() and a step start."""
        handle = waiting(branching.has_children_with_deadlines)
        first, _hurried, many = (Workflow.objects.get(pk=each) for each in children_of(handle))

        self.assertEqual([row(handle).deadline] * 2, [first.deadline, many.deadline])

    def test_ends_it_with_its_parent(self):
        """At that moment both are cancelled."""
        handle = waiting(branching.has_children_with_deadlines)
        first = Workflow.objects.get(pk=children_of(handle)[0])
        with travel(seconds=3601):
            run_until_idle()

        self.assertEqual(["cancelled"] * 2, [row(handle).status, row(WorkflowHandle(first.pk)).status])

    def test_is_its_own_if_it_has_a_timeout(self):
        """Which counts from its first claim."""
        with travel(seconds=100):
            handle = branching.has_children_with_deadlines.start()
        run_until_idle()
        hurried = Workflow.objects.get(pk=children_of(handle)[1])

        self.assertNotEqual(row(handle).deadline, hurried.deadline)
        self.assertEqual(3600, hurried.timeout_seconds)

    def test_is_none_without_one(self):
        """As ever."""
        with acting(branching.deadline_of):
            handle = waiting(acts_itself)

        self.assertIsNone(handle.result())

    def test_is_inherited_by_grandchildren(self):
        """A tree has one deadline."""
        handle = waiting(branching.lingers_below.using(timeout=1000), 3)

        self.assertEqual({row(handle).deadline}, set(Workflow.objects.values_list("deadline", flat=True)))
