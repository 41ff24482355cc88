"""Children of a gather() that are started together: nothing of it can be told from children started one by one."""

from functools import partial
from unittest import mock

from django.db import InterfaceError
from django.test import TestCase

from durable_django import NotSerializable, UnknownQueue, WorkflowConflict, gather, send
from durable_django.engine import fanning
from durable_django.models import Step, Workflow
from durable_django.models.workflow_queryset import WorkflowQuerySet
from durable_django.testing import crash_before, run_until_idle
from tests.behaviour.claiming import sync
from tests.behaviour.support import acting, row, statements, waiting
from tests.sample.branching import branches, child, children_of, gathers_differently, mark, two_marks, waiting_child
from tests.sample.promises import acts_itself
from tests.sample.queued import begins


def gathering(*calls, **options):
    """Run a workflow with these branches until it is idle. Return its handle."""
    with acting(branches(*calls)):
        return waiting(gathers_differently.using(**options))


def kinds(errors):
    return [type(each).__name__ for each in errors]


def gathering_all(*calls, **options):
    """Run a workflow that gathers the names of results and errors of these branches. Return its handle."""
    with acting(lambda: kinds(gather(*calls, return_exceptions=True))):
        return waiting(acts_itself.using(**options))


def answers_lost(name):
    """Let the first answer of one of the two transactions be lost, behind its COMMIT."""
    act, answered = getattr(fanning, name), []

    def lose(*args):
        value = act(*args)
        if not answered:
            answered.append(value)
            message = "the answer is lost"
            raise InterfaceError(message)
        return value

    return mock.patch.object(fanning, name, lose)


def unrecorded(verb):
    """Let a verb come from outside, as it were, while the workflow runs: it is no step of it."""
    return verb.__wrapped__(Workflow.objects.filter(parent__isnull=True))


class ChildrenOfAGather(TestCase):
    def test_are_started_and_answered_in_a_transaction_each(self):
        """However many there are: one statement each for their rows, for their starts and for their ends."""
        with acting(branches(*(partial(child, number) for number in range(20)))):
            handle = gathers_differently.start()
            with statements() as seen:
                run_until_idle()

        self.assertEqual([number * 2 for number in range(20)], handle.result())
        # Each statement for many is one; twenty are those of the children's own steps.
        self.assertEqual(22, sum("INSERT" in sql and "durable_django_step" in sql for sql in seen))

    def test_have_their_turn_in_the_order_of_the_branches(self):
        """Whatever their workflows and options are."""
        calls = [partial(kind, str(number)) for number in range(3) for kind in (begins, waiting_child)]
        sync()
        handle = gathering(*calls)

        order = sorted(children_of(handle), key=lambda each: int(each.split(".")[1]))
        self.assertEqual(order, children_of(handle))

    def test_keep_their_options(self):
        """Each those of its own using()."""
        sync()
        calls = [
            partial(begins.using(queue="tenants", partition_key=f"t{number}", priority=number), "x")
            for number in range(4)
        ]
        handle = gathering(*calls)

        rows = Workflow.objects.filter(parent=handle.id).order_by("line")
        self.assertEqual(
            [("tenants", f"t{number}", number) for number in range(4)],
            list(rows.values_list("queue", "partition_key", "priority")),
        )

    def test_are_not_started_by_a_cancelled_parent(self):
        """A cancellation that came first ends the tree."""

        def body():
            unrecorded(WorkflowQuerySet.cancel)
            return gather(*(partial(child, number) for number in range(5)))

        with acting(body):
            handle = waiting(acts_itself)

        self.assertEqual(("cancelled", 1), (row(handle).status, Workflow.objects.count()))

    def test_are_not_started_by_a_paused_parent(self):
        """But when it goes on."""

        def body():
            if not paused:
                paused.append(unrecorded(WorkflowQuerySet.pause))
            return gather(*(partial(child, number) for number in range(5)))

        paused = []
        with acting(body):
            handle = waiting(acts_itself)
            self.assertEqual(("paused", 1), (row(handle).status, Workflow.objects.count()))
            row(handle).resume()
            run_until_idle()

        self.assertEqual([0, 2, 4, 6, 8], handle.refresh().result())

    def test_of_a_nested_gather_are_started_too(self):
        """Under the places of their own branches."""

        def inner():
            return gather(*(partial(child, number) for number in range(4)))

        handle = gathering(inner, *(partial(child, number) for number in range(4)))

        self.assertEqual([[0, 2, 4, 6], 0, 2, 4, 6], handle.result())
        self.assertIn(f"{handle.id}/1.1.1.4.1", children_of(handle))

    def test_go_on_after_a_crash_among_their_neighbours(self):
        """Each child is one, whoever recorded its start."""
        calls = [partial(two_marks, "a", 0), *(partial(child, number) for number in range(4))]
        with acting(branches(*calls)):
            with crash_before(mark):
                handle = waiting(gathers_differently)
            run_until_idle()

        self.assertEqual([["a-1", "a-2"], 0, 2, 4, 6], handle.refresh().result())
        self.assertEqual(4, len(children_of(handle)))


class AnAnswerThatIsLost(TestCase):
    def test_of_the_starts_leaves_one_child_each(self):
        """The branches find what was committed."""
        with answers_lost("_start_together"):
            handle = gathering(*(partial(child, number) for number in range(5)))

        self.assertEqual([0, 2, 4, 6, 8], handle.result())
        self.assertEqual(5, len(children_of(handle)))

    def test_of_the_ends_is_found(self):
        """The branches find what was recorded."""
        with answers_lost("_answer_together"):
            handle = gathering(*(partial(child, number) for number in range(5)))

        self.assertEqual([0, 2, 4, 6, 8], handle.result())
        self.assertEqual(5, Step.objects.filter(workflow=handle.id, kind="result").count())


class WhatDoesNotFit(TestCase):
    def test_in_one_child_is_the_error_of_its_branch(self):
        """Its arguments, its queue, its partition."""
        sync()
        for bad, error in (
            (partial(child, 1, 2, 3), TypeError),
            (partial(child, object()), NotSerializable),
            (partial(begins.using(queue="tenants"), "keyless"), ValueError),
            (partial(waiting_child, "x"), UnknownQueue),
        ):
            with self.subTest(error=error), mock.patch.object(waiting_child.registered, "queue", "nowhere"):
                handle = gathering_all(*(partial(child, number) for number in range(4)), bad)
                self.assertEqual(["int"] * 4 + [error.__name__], handle.result())

    def test_is_a_child_whose_id_belongs_to_another_workflow(self):
        """It is never taken for the child: a parent that was deleted may have left some."""
        child.using(id="p/2.3.1").start(1000)
        handle = gathering_all(*(partial(child, number) for number in range(5)), id="p")

        self.assertEqual(["int", "int", WorkflowConflict.__name__, "int", "int"], handle.result())

    def test_is_code_that_diverges(self):
        """The wrong code starts nothing in front of the branch that shows it."""
        handle = gathering(*(partial(waiting_child, str(number)) for number in range(4)))
        with acting(branches(partial(mark, "new"), *(partial(child, number) for number in range(8)))):
            send(children_of(handle)[-1], "ended", "3")
            run_until_idle()

        self.assertEqual("paused", row(handle).status)
        self.assertEqual(4, len(children_of(handle)))

    def test_is_a_start_that_failed(self):
        """It has no child, even if a workflow has the name of nothing."""
        child.using(id="None").start(1)
        calls = [partial(child.using(id="None"), 2), *(partial(child, number) for number in range(4))]
        with acting(lambda: kinds(gather(*calls, partial(waiting_child, "x"), return_exceptions=True))):
            handle = waiting(acts_itself)
            send(f"{handle.id}/2.6.1", "ended", "x")
            run_until_idle()

        self.assertEqual([WorkflowConflict.__name__, *["int"] * 4, "str"], handle.refresh().result())
        self.assertEqual(5, Step.objects.filter(workflow=handle.id, kind="result").count())

    def test_is_what_only_looks_like_a_workflow(self):
        """A callable may have any attributes."""

        class Registers:
            registered = "yes"

            def __call__(self):
                return mark("registered")

        handle = gathering(*[Registers()] * 5)

        self.assertEqual(["registered"] * 5, handle.result())
