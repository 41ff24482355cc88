"""What a fork takes over: events and streams, children, branches, and that of a workflow that runs."""

from functools import partial

from django.test import TestCase

import durable_django as durable
from durable_django import WorkflowNotFound, WorkflowPruned
from durable_django.models import Step, StreamEntry, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.forks import calls_who_waits, ended, fork, mark, tells
from tests.behaviour.support import acting, labels, row, steps
from tests.sample import branching
from tests.sample.promises import acts, acts_itself


class EventsAndStreams(TestCase):
    def test_are_as_of_the_step(self):
        """Of an event the value that it had there; of streams what was written until then."""
        handle = ended(tells, 1, 2, 3)
        # Each turn has three steps: the fork begins within the second one, before its own step.
        new = row(handle).fork(from_step=6)

        self.assertEqual({"in step": 1, "latest": 2}, durable.get_events(new.pk))
        found = StreamEntry.objects.filter(workflow=new).order_by("key", "offset")
        self.assertEqual(
            [("all", 0, "1"), ("all", 1, "2"), ("other", 0, "1"), ("other", 1, "-1")],
            list(found.values_list("key", "offset", "value")),
        )

    def test_go_on_from_there(self):
        """Offsets have neither gaps nor doubles."""
        new = fork(ended(tells, 1, 2, 3), from_step=6)

        self.assertEqual([1, 2, 3], list(durable.read_stream(new.id, "all")))
        self.assertEqual([1, -1, 2, -2, 3, -3], list(durable.read_stream(new.id, "other")))
        self.assertEqual({"in step": 3, "latest": 3}, durable.get_events(new.id))

    def test_of_a_neighbour_leave_no_gap(self):
        """What another branch has written in between, and is not shared, is missed by no offset."""
        with acting(lambda: durable.gather(*(partial(durable.write_stream, "s", number) for number in (0, 1)))):
            handle = ended(acts_itself)
        StreamEntry.objects.filter(workflow=handle.id, offset=0).update(position=99)
        new = row(handle).fork(from_step=9)

        self.assertEqual([(0, "1")], list(StreamEntry.objects.filter(workflow=new).values_list("offset", "value")))

    def test_that_are_closed_stay_so(self):
        """If it was closed before the step."""

        def act():
            durable.write_stream("s", 1)
            durable.close_stream("s")

        with acting(act):
            handle = ended(acts_itself)
        new = row(handle).fork(from_step=9)

        self.assertEqual([1], list(durable.read_stream(new.pk, "s", timeout=1)))


class Children(TestCase):
    def test_are_those_of_the_origin(self):
        """Their results are read; no other ones are started."""
        handle = ended(branching.starts_and_waits, 1, 2)
        new = fork(handle, from_step=3)

        self.assertEqual([2, 4], new.result())
        self.assertEqual(0, new.workflow.children.count())

    def test_that_have_not_ended_are_waited_for(self):
        """By the fork as by the origin."""
        handle = ended(calls_who_waits)
        new = fork(handle, from_step=2)
        before = row(new).status
        durable.send(branching.children_of(handle)[0], "come", "a")
        run_until_idle()

        self.assertEqual(("waiting", "come", "come"), (before, handle.result(), new.result()))

    def test_are_not_cancelled_by_the_fork(self):
        """They are not its own."""
        handle = ended(branching.starts_and_lingers, 2)
        new = fork(handle, from_step=3)
        new.workflow.cancel()

        self.assertEqual({"waiting"}, set(row(handle).children.values_list("status", flat=True)))
        self.assertEqual(("waiting", "cancelled"), (row(handle).status, row(new).status))

    def test_of_the_fork_have_ids_of_their_own(self):
        """Behind the step children are started anew."""
        handle = ended(branching.starts_and_waits, 1, 2)
        new = fork(handle, from_step=2)

        self.assertEqual([2, 4], new.result())
        self.assertEqual(1, new.workflow.children.count())

    def test_may_be_replaced(self):
        """The fork reads the results of others in their place."""
        for definition, args in ((branching.starts_and_waits, (1, 2)), (branching.gathers_children, (1, 2, 3, 4, 5))):
            with self.subTest(definition=definition.name):
                handle, other = ended(definition, *args), ended(branching.child, 50)
                first = branching.children_of(handle)[0]
                Step.objects.filter(workflow=handle.id, kind="result").delete()
                new = fork(handle, from_step=9, replacement_children={first: other})

                self.assertEqual([100, *(2 * number for number in args[1:])], new.result())

    def test_may_be_replaced_among_many(self):
        """Those of start_many(), too."""
        handle, other = ended(branching.starts_many, 3), ended(branching.child, 50)
        new = fork(handle, from_step=2, replacement_children={branching.children_of(handle)[1]: other.id})

        self.assertEqual([0, 100, 4], new.result())

    def test_are_replaced_only_by_what_there_is(self):
        """Both must exist: nothing is made otherwise."""
        handle = ended(branching.starts_and_waits, 1)
        (child,) = branching.children_of(handle)
        before = Workflow.objects.count()
        with self.assertRaises(WorkflowNotFound):
            row(handle).fork(from_step=2, replacement_children={child: "nobody"})
        with self.assertRaisesMessage(ValueError, "'nobody' is no child that workflow"):
            row(handle).fork(from_step=2, replacement_children={"nobody": child})
        with self.assertRaisesMessage(ValueError, "is no child that workflow"):
            row(handle).fork(from_step=1, replacement_children={child: child})

        self.assertEqual(before, Workflow.objects.count())

    def test_are_not_replaced_by_what_was_pruned(self):
        """It has no result any more; by the verb of a queryset, too, which leaves out originals that were pruned."""
        handle, other = ended(branching.starts_and_waits, 1), ended(branching.child, 50)
        replaced = {branching.children_of(handle)[0]: other.id}
        Workflow.objects.filter(pk=other.id).purge(payloads_only=True)
        for forks in (row(handle).fork, Workflow.objects.filter(pk=handle.id).forked):
            with self.subTest(forks=forks), self.assertRaises(WorkflowPruned) as caught:
                forks(from_step=9, replacement_children=replaced)

            self.assertEqual(other.id, caught.exception.workflow_id)


class Branches(TestCase):
    def places(self, new):
        return {
            f"{branch}.{position}".lstrip(".")
            for branch, position in Step.objects.filter(workflow=new).values_list("branch", "position")
        }

    def test_are_shared_whole_behind_them(self):
        """From a step behind the gather()."""
        handle = ended(branching.gathers_marks, "a", "b")
        new = fork(handle, from_step=2)

        self.assertEqual((["a", "b"], ["a", "b"]), (new.result(), labels()))

    def test_are_not_shared_from_the_gather_on(self):
        """Its position is before all its branches."""
        handle = ended(branching.gathers_marks, "a", "b")
        new = fork(handle, from_step=1)

        self.assertEqual((["a", "b"], ["a", "b", "a", "b"]), (new.result(), labels()))

    def test_are_forked_in_the_midst_of_one(self):
        """Its neighbours are shared whole: they come neither before nor behind."""
        with acting(branching.branches(lambda: [mark("a"), mark("b")], lambda: [mark("c"), mark("d")])):
            handle = ended(branching.gathers_differently)
            new = fork(handle, from_step="1.1.2")

        self.assertEqual([["a", "b"], ["c", "d"]], new.result())
        self.assertEqual(["a", "b", "c", "d", "b"], labels())

    def test_of_branches_are_told_apart(self):
        """A nested one stands in the branch that it belongs to."""

        def inner(name):
            found = durable.gather(partial(mark, f"{name}1"), partial(mark, f"{name}2"))
            return [*found, mark(name)]

        with acting(branching.branches(partial(inner, "a"), partial(inner, "b"))):
            handle = ended(branching.gathers_differently)
        outer, nested = row(handle).fork(from_step="1.2.2"), row(handle).fork(from_step="1.2.1.1.1")

        self.assertEqual({"1.1.1.1.1", "1.1.1.2.1", "1.1.2", "1.2.1.1.1", "1.2.1.2.1"}, self.places(outer))
        self.assertEqual({"1.1.1.1.1", "1.1.1.2.1", "1.1.2", "1.2.1.2.1"}, self.places(nested))


class AForkOfWhatRuns(TestCase):
    def test_shares_what_was_recorded_by_then(self):
        """F5: from each step, while it runs: exactly the steps before it, and it is not disturbed."""
        forks = {}

        def forking():
            me = durable.current_workflow().id
            if Workflow.objects.filter(pk=me, forked_from__isnull=False).exists():
                return
            forks.update((place, Workflow.objects.get(pk=me).fork(from_step=place).pk) for place in range(1, 5))

        with acting(forking):
            handle = ended(acts)

        self.assertEqual(["mark_atomically", "act", "mark"], steps(handle))
        self.assertEqual(
            {1: [], 2: ["mark_atomically"], 3: ["mark_atomically"], 4: ["mark_atomically"]},
            {
                place: [*Step.objects.filter(workflow=pk, attempt=0).values_list("name", flat=True)]
                for place, pk in forks.items()
            },
        )
