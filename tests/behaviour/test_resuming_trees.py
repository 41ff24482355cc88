"""resume(children=True): the failed or cancelled children that a workflow waits for go on first."""

from functools import partial

from django.test import TestCase

import durable_django as durable
from durable_django import step, workflow
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, row, waiting
from tests.sample import branching
from tests.sample.models import Mark
from tests.sample.promises import acts_itself

BROKEN = set()


@step
def deliver(name):
    Mark.objects.create(label=name)
    if name in BROKEN:
        raise LookupError(name)
    return name


@workflow
def delivers_below(name, below=()):
    """It delivers_below itself, after what is below it."""
    for each in below:
        delivers_below(each)
    return deliver(name)


class AParentWhoseChildFailed(TestCase):
    def setUp(self):
        self.addCleanup(BROKEN.clear)

    def failed(self, *broken):
        """Let a workflow fail by its children, and mend the cause."""
        BROKEN.update(broken)
        handle = waiting(acts_itself)
        self.assertEqual("failed", row(handle).status)
        BROKEN.clear()
        return handle

    def children(self, handle):
        return dict(row(handle).children.order_by("line").values_list("attempt", "status"))

    def test_goes_on_with_it(self):
        """The child first: the parent finds its result."""
        with acting(lambda: delivers_below("a")):
            handle = self.failed("a")
            resumed = row(handle).resume(children=True)
            run_until_idle()

            self.assertEqual((True, "a"), (resumed, handle.refresh().result()))
        self.assertEqual({2: "succeeded"}, self.children(handle))

    def test_fails_again_without(self):
        """The child is left as it was."""
        with acting(lambda: delivers_below("a")):
            handle = self.failed("a")
            row(handle).resume()
            run_until_idle()

        self.assertEqual(("failed", {1: "failed"}), (row(handle).status, self.children(handle)))

    def test_goes_on_with_all_below_it(self):
        """However deep; counted together."""
        with acting(lambda: delivers_below("a", ["b"])):
            handle = self.failed("b")
            count = Workflow.objects.filter(pk=handle.id).resume(children=True)
            run_until_idle()

            self.assertEqual((3, "a"), (count, handle.refresh().result()))

    def test_goes_on_with_all_that_it_gathers(self):
        """Those that have ended well are left alone."""
        names = ["a", "b", "c", "d", "e"]
        with acting(lambda: durable.gather(*(partial(delivers_below, name) for name in names))):
            handle = self.failed("b", "d")
            count = Workflow.objects.filter(pk=handle.id).resume(children=True)
            run_until_idle()

            self.assertEqual((3, names), (count, handle.refresh().result()))

    def test_leaves_a_child_whose_error_it_has_caught(self):
        """Its code has gone on from there."""

        def act():
            try:
                delivers_below("a")
            except LookupError:
                deliver("instead")
            return deliver("end")

        with acting(act):
            handle = self.failed("a", "end")
            count = Workflow.objects.filter(pk=handle.id).resume(children=True)
            run_until_idle()

            self.assertEqual((1, "end"), (count, handle.refresh().result()))
        self.assertEqual({1: "failed"}, self.children(handle))

    def test_is_resumed_once_when_pressed_twice(self):
        """F4: the second press finds nothing to do."""
        with acting(lambda: delivers_below("a")):
            handle = self.failed("a")
            first, second = (Workflow.objects.filter(pk=handle.id).resume(children=True) for _time in range(2))

        self.assertEqual((2, 0), (first, second))


class ATreeThatWasCancelled(TestCase):
    def test_goes_on_as_a_whole(self):
        """With what was cancelled together with it."""
        handle = waiting(branching.lingers_below, 2)
        row(handle).cancel()
        count = Workflow.objects.filter(pk=handle.id).resume(children=True)
        run_until_idle()

        self.assertEqual((3, {"waiting"}), (count, set(Workflow.objects.values_list("status", flat=True))))

    def test_leaves_children_that_have_ended_well(self):
        """Or that were never cancelled."""
        handle = waiting(branching.starts_and_lingers, 2)
        durable.send(branching.children_of(handle)[0], "end")
        run_until_idle()
        row(handle).cancel()
        row(handle).resume(children=True)
        run_until_idle()

        self.assertEqual({"succeeded", "waiting"}, set(row(handle).children.values_list("status", flat=True)))
        self.assertEqual("waiting", row(handle).status)
