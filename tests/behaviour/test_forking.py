"""fork: a new workflow shares what another one has recorded before a place, and goes on from there by itself."""

from functools import partial
from unittest import mock

from django.test import TestCase

import durable_django as durable
from durable_django import WorkflowConflict, WorkflowNotFound, get_handle, step, workflow
from durable_django.models import Event, EventChange, Message, Step, StreamEntry, Workflow, forking
from durable_django.testing import run_until_idle
from tests.behaviour.states import STATES, workflow_in
from tests.behaviour.support import acting, labels, row, steps
from tests.sample import branching
from tests.sample.here import Here
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_itself, takes_order


@step
def mark(label):
    Mark.objects.create(label=label)
    return label


@workflow(timeout=3600)
def marks(*names):
    """One step for each name."""
    return [mark(name) for name in names]


@workflow
def tells(*values):
    """Events and entries of two streams, set by the workflow and by a step."""
    for value in values:
        durable.set_event("latest", value)
        durable.write_stream("all", value)
        tell_in_step(value)
    return durable.get_event(durable.current_workflow().id, "latest")


@step
def tell_in_step(value):
    durable.set_event("in step", value)
    durable.write_stream("other", value, -value)


@workflow
def breaks():
    """It fails behind two steps, unless the test says otherwise."""
    mark("a")
    mark("b")
    return act()


@step
def act():
    return Here.act()


@workflow
def calls_who_waits():
    return branching.waiting_child("a")


def fork(handle, **options):
    """Fork a workflow and run what there is to run. Return the handle of the fork."""
    new = row(handle).fork(**options)
    run_until_idle()
    return get_handle(new.pk)


def ended(definition, *args, **kwargs):
    handle = definition.start(*args, **kwargs)
    run_until_idle()
    return handle


def boom():
    raise LookupError("broken")


class AForkFromAPosition(TestCase):
    def test_shares_what_comes_before_it(self):
        """The steps before it answer from their rows; from there on they run."""
        handle = ended(marks, "a", "b", "c", "d")
        new = fork(handle, from_step=3)

        self.assertEqual(["a", "b", "c", "d"], new.result())
        self.assertEqual(["a", "b", "c", "d", "c", "d"], labels())
        self.assertEqual(handle.id, new.workflow.forked_from_id)

    def test_shares_nothing_from_the_beginning(self):
        """Without a step it is a new run with the same arguments."""
        new = fork(ended(marks, "a"))

        self.assertEqual((["a"], ["a", "a"]), (new.result(), labels()))

    def test_shares_all_from_behind_the_end(self):
        """A position that was never reached: everything is shared."""
        new = fork(ended(marks, "a", "b"), from_step=9)

        self.assertEqual((["a", "b"], ["a", "b"]), (new.result(), labels()))

    def test_leaves_its_origin_alone(self):
        """Its row, its steps, its events are as before."""
        handle = ended(tells, 1, 2)
        before = [list(model.objects.filter(**{key: handle.id}).values()) for model, key in owned()]
        fork(handle, from_step=3)

        after = [list(model.objects.filter(**{key: handle.id}).values()) for model, key in owned()]
        self.assertEqual(before, after)

    def test_must_be_one(self):
        """Nothing else is taken for a place."""
        handle = ended(marks, "a")
        for wrong in (0, -1, True, 1.5, "", b"a"):
            with self.subTest(wrong=wrong), self.assertRaisesMessage(ValueError, "from_step must be"):
                row(handle).fork(from_step=wrong)

    def test_is_made_of_any_state(self):
        """Whatever has become of the origin: it stays so."""
        for state in STATES:
            with self.subTest(state=state):
                handle = workflow_in(state)
                new = row(handle).fork()

                self.assertEqual((state, "queued"), (row(handle).status, new.status))


def owned():
    return [(Workflow, "pk"), *((model, "workflow") for model in (Step, Event, EventChange, StreamEntry, Message))]


class AForkFromAName(TestCase):
    def test_begins_with_the_step_of_that_name(self):
        """What comes before it is shared."""
        with acting(lambda: 1):
            handle = ended(breaks)
        with acting(lambda: 2):
            new = fork(handle, from_step="act")

        self.assertEqual((2, ["a", "b"]), (new.result(), labels()))

    def test_that_occurs_several_times_is_refused(self):
        """The error says at which places it stands."""
        handle = ended(marks, "a", "b", "c")

        with self.assertRaisesMessage(ValueError, "has several steps 'mark': at 1, 2, 3. Give one of these places."):
            row(handle).fork(from_step="mark")
        self.assertEqual(1, Workflow.objects.count())

    def test_that_does_not_occur_is_refused(self):
        """With the nearest name that does."""
        with self.assertRaisesMessage(ValueError, "no step 'marc' in its history. Did you mean 'mark'?"):
            row(ended(marks, "a")).fork(from_step="marc")

    def test_may_be_that_of_a_step_that_has_not_ended(self):
        """One that is retried, or waits."""
        handle = workflow_in("waiting")
        new = row(handle).fork(from_step="postponed")

        self.assertEqual(["mark"], steps(get_handle(new.pk)))


class AForkFromTheFailure(TestCase):
    def test_goes_on_where_it_failed(self):
        """All but the errors at the end is shared."""
        with acting(boom):
            handle = ended(breaks)
        with acting(lambda: "mended"):
            new = fork(handle, from_failure=True)

        self.assertEqual(("mended", ["a", "b"], "failed"), (new.result(), labels(), row(handle).status))

    def test_needs_one(self):
        """What has not failed has no failure."""
        for state in set(STATES) - {"failed"}:
            with self.subTest(state=state), self.assertRaisesMessage(ValueError, "has not failed"):
                row(workflow_in(state)).fork(from_failure=True)

    def test_is_none_of_what_was_resumed_meanwhile(self):
        """The look under the lock decides: refused for one, left out of many."""
        really_fork = forking.fork

        def fork_late(rows, origin_id, *others):
            row(get_handle(origin_id)).resume()
            return really_fork(rows, origin_id, *others)

        with acting(boom):
            one, other = ended(breaks), ended(breaks)
        with mock.patch.object(forking, "fork", fork_late):
            with self.assertRaisesMessage(ValueError, "has not failed"):
                row(one).fork(from_failure=True)
            count = Workflow.objects.filter(pk=other.id).fork(from_failure=True)

        self.assertEqual((0, 2), (count, Workflow.objects.count()))

    def test_of_many_leaves_out_what_is_purged_meanwhile(self):
        """The others are forked all the same."""
        with acting(boom):
            handles = [ended(breaks) for _number in range(3)]
        really_fork = forking.fork

        def fork_late(*args):
            Workflow.objects.filter(pk__in=[handles[1].id]).purge(payloads_only=True)
            Workflow.objects.filter(pk__in=[handles[2].id]).purge()
            return really_fork(*args)

        with mock.patch.object(forking, "fork", fork_late):
            count = Workflow.objects.fork(from_failure=True)

        self.assertEqual(1, count)

    def test_of_many_is_made_of_another_run_under_the_same_id(self):
        """The former one was purged; its fork is still there."""
        with acting(boom):
            for _time in range(2):
                Workflow.objects.filter(pk="b").purge()
                ended(breaks.using(id="b"))
                Workflow.objects.filter(pk="b").fork(from_failure=True)

        self.assertEqual(2, Workflow.objects.filter(forked_from="b").count())

    def test_is_not_one_from_a_step(self):
        """Give one of the two."""
        with self.assertRaisesMessage(ValueError, "not both"):
            row(workflow_in("failed")).fork(from_failure=True, from_step=2)

    def test_of_many_forks_each_that_failed(self):
        """The others are left alone; asked again, nothing is made."""
        with acting(boom):
            handles = [ended(breaks) for _number in range(3)]
        ended(marks, "other")
        first, again = (Workflow.objects.fork(from_failure=True) for _time in range(2))
        with acting(lambda: "mended"):
            run_until_idle()

        forks = Workflow.objects.filter(forked_from__in=[each.id for each in handles])
        self.assertEqual((3, 0), (first, again))
        self.assertEqual(["mended"] * 3, [get_handle(each.pk).result() for each in forks])

    def test_of_many_is_made_again_after_another_attempt(self):
        """It was resumed, and has failed anew."""
        with acting(boom):
            handle = ended(breaks)
            Workflow.objects.fork(from_failure=True)
            row(handle).resume()
            run_until_idle()

        self.assertEqual(2, Workflow.objects.filter(pk=handle.id).fork(from_failure=True) + 1)


class AFork(TestCase):
    def test_has_what_its_origin_was_started_with(self):
        """Arguments, attributes, queue, priority, partition key, timeout, version."""
        origin = row(marks.using(attributes={"a": 1}, queue="second", priority=7, partition_key="p").start("a"))
        new = origin.fork()

        for column in ("name", "arguments", "fingerprint", "attributes", "queue", "priority", "partition_key"):
            self.assertEqual(getattr(origin, column), getattr(new, column), column)
        self.assertEqual((3600.0, 0, 0), (new.timeout_seconds, new.attempt, new.recoveries))

    def test_has_not_what_belongs_to_the_other_run(self):
        """Deduplication key, deadline, parent, schedule, mail."""
        handle = acts.using(deduplication_key="k").start()
        parent = acts.start()
        durable.send(handle.id, "mail")
        Workflow.objects.filter(pk=handle.id).update(parent=parent.id, schedule="s", deadline="2099-01-01T00:00Z")
        new = row(handle).fork()

        self.assertEqual(
            (None, None, None, "", 0),
            (
                new.deduplication_key,
                new.deadline,
                new.parent_id,
                new.schedule,
                Message.objects.filter(workflow=new).count(),
            ),
        )

    def test_may_have_other_arguments(self):
        """A tuple, a dict, or what call() returns; checked against the signature."""
        handle = ended(takes_order, 7)
        for args in ((8,), [8], {"order": 8}, takes_order.call(order=8)):
            self.assertEqual("8  False", fork(handle, args=args).result())

        for error, args in ((TypeError, (1, 2, 3, 4)), (TypeError, "8"), (durable.NotSerializable, (object(),))):
            with self.assertRaises(error):
                row(handle).fork(args=args)

    def test_may_have_another_queue_and_version(self):
        """Of a declared queue."""
        handle = ended(marks, "a")
        new = row(handle).fork(queue="second", version="2")

        self.assertEqual(("second", "2"), (new.queue, new.version))
        with self.assertRaises(durable.UnknownQueue):
            row(handle).fork(queue="sekond")
        for version in (2, "2" * 256):
            with self.assertRaisesMessage(ValueError, "version must be a text"):
                row(handle).fork(version=version)

    def test_with_an_id_is_made_once(self):
        """F4: the second call returns the first one's; nothing is copied twice."""
        handle = ended(tells, 1)
        first, again = (row(handle).fork(from_step=3, id="fork") for _time in range(2))

        self.assertEqual(("fork", "fork"), (first.pk, again.pk))
        self.assertEqual(2, Step.objects.filter(workflow="fork").count())

    def test_with_an_id_that_is_taken_is_refused(self):
        """By another workflow, a fork of another one, or one with other arguments."""
        first, second = ended(marks, "a"), ended(marks, "a")
        row(first).fork(id="fork")
        for origin, options in (
            (first, {"id": second.id}),
            (second, {"id": "fork"}),
            (first, {"id": "fork", "args": ("b",)}),
        ):
            with self.subTest(options=options), self.assertRaises(WorkflowConflict):
                row(origin).fork(**options)

    def test_of_nothing_is_refused(self):
        """The row is gone."""
        gone = row(ended(marks, "a"))
        Workflow.objects.filter(pk=gone.pk).delete()

        with self.assertRaises(WorkflowNotFound):
            gone.fork()

    def test_can_be_forked(self):
        """What it shares, and what it has recorded itself."""
        new = fork(fork(ended(tells, 1, 2, 3), from_step=4), from_step=7)

        self.assertEqual(3, new.result())
        self.assertEqual([1, 2, 3], list(durable.read_stream(new.id, "all")))

    def test_is_not_progress_of_its_own(self):
        """Recovery does not take what is shared for steps that its lost attempts have made."""
        new = row(ended(marks, "a", "b")).fork(from_step=2)

        self.assertEqual([0], list(Step.objects.filter(workflow=new).values_list("attempt", flat=True)))

    def test_whose_code_differs_before_the_place_is_paused(self):
        """F6: with what is recorded and what is called; behind it, code may differ."""
        handle = ended(marks, "a", "b")
        Step.objects.filter(workflow=handle.id).update(name="other")
        early, late = fork(handle, from_step=1), fork(handle, from_step=2)

        self.assertEqual(("succeeded", "paused"), (early.status, late.status))
        self.assertIn("'other'", late.workflow.reason)


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
