"""gather(): several lines of calls in one workflow, each of which numbers its own; one that waits holds up no other."""

from functools import partial

from django.test import TestCase

import durable_django as durable
from durable_django import WorkflowCancelled
from durable_django.models import Step, Workflow
from durable_django.testing import crash_after, crash_before, run_until_idle, travel
from tests.behaviour.support import acting, labels, row, waiting
from tests.sample import branching
from tests.sample.branching import (
    branches,
    child,
    children_of,
    fail,
    gathers_differently,
    mark,
    two_marks,
    waiting_child,
)
from tests.sample.models import Mark


def places(handle):
    """Return where each recorded step stands, with its name."""
    rows = Step.objects.filter(workflow=handle.id).order_by("branch", "position")
    return [(each.place, each.name) for each in rows]


def gathering(*calls):
    """Run a workflow with these branches until it is idle. Return its handle."""
    with acting(branches(*calls)):
        return waiting(gathers_differently)


class ABranch(TestCase):
    def test_numbers_its_own_steps(self):
        """Under the position of the gather() and its own number; the main line goes on behind the gather()."""
        handle = waiting(branching.gathers_nested)
        with travel(seconds=61):
            run_until_idle()

        self.assertEqual("succeeded", row(handle).status)
        self.assertEqual(
            ["2", "1.1.1", "1.1.3", "1.1.2.1.1", "1.1.2.1.2", "1.1.2.1.3"],
            [place for place, _name in places(handle) if not place.startswith(("1.2.", "1.1.2.2"))],
        )

    def test_has_keys_of_its_own(self):
        """Children and idempotency keys are named by place, so that no two branches share one."""
        key = partial(durable.run_step, lambda: durable.current_step().idempotency_key, name="key")
        with acting(branches(key, key, lambda: child.start(1).id)):
            handle = waiting(gathers_differently.using(id="order-7"))

        self.assertEqual(["order-7/1.1.1", "order-7/1.2.1", "order-7/1.3.1"], handle.result())

    def test_gives_its_result_in_order(self):
        """Whatever finishes first; anything that can be called may be a branch."""
        handle = gathering(partial(two_marks, "a", 60), partial(mark, "b"), lambda: 3)
        with travel(seconds=61), acting(branches(partial(two_marks, "a", 60), partial(mark, "b"), lambda: 3)):
            run_until_idle()

        self.assertEqual([["a-1", "a-2"], "b", 3], handle.result())

    def test_may_be_none(self):
        """No calls, no results; the position is taken all the same."""
        self.assertEqual([], gathering().result())

    def test_that_cannot_be_called_is_refused(self):
        """A call that has begun already, above all: the error says how to write it."""
        handle = gathering_lazily(lambda: [mark("a")])

        with self.assertRaisesMessage(TypeError, "Write partial(charge, order), not charge(order)"):
            handle.result()

    def test_too_deep_to_be_named_is_refused(self):
        """With a sentence, before anything of it runs."""

        def deep(levels):
            return durable.gather(partial(deep, levels - 1)) if levels else mark("bottom")

        handle = gathering(partial(deep, 20))

        with self.assertRaisesMessage(ValueError, "nested too deeply"):
            handle.result()
        self.assertEqual([], labels())


def gathering_lazily(make):
    with acting(make):
        return waiting(gathers_differently)


class ABranchThatWaits(TestCase):
    def test_lets_the_others_go_on(self):
        """All that can go on do so before the workflow suspends, until the first moment."""
        handle = waiting(branching.gathers, a=3600, b=60, c=30)
        first = (row(handle).status, row(handle).waiting_for, labels())
        with travel(seconds=61):
            run_until_idle()
        second = labels()
        with travel(seconds=3601):
            run_until_idle()

        self.assertEqual(("waiting", "time", ["a-1", "b-1", "c-1"]), first)
        self.assertEqual(["b-2", "c-2"], second[3:])
        self.assertEqual([["a-1", "a-2"], ["b-1", "b-2"], ["c-1", "c-2"]], handle.refresh().result())

    def test_neither_cancels_nor_restarts_its_neighbours(self):
        """An hour of sleep beside eight steps: each of these runs once, in the first attempt."""
        steps = [partial(mark, f"b-{number}") for number in range(8)]
        calls = branches(partial(two_marks, "a", 3600), lambda: [each() for each in steps])
        with acting(calls):
            handle = waiting(gathers_differently)
            before, attempt = labels(), row(handle).attempt
            with travel(seconds=3601):
                run_until_idle()

        self.assertEqual((["a-1", *(f"b-{number}" for number in range(8))], 1), (before, attempt))
        self.assertEqual([*before, "a-2"], labels())
        self.assertEqual(2, row(handle).attempt)

    def test_for_a_topic_of_its_own_gets_its_messages(self):
        """Two branches, two topics: a message wakes the workflow for the branch that waits for it."""
        handle = waiting(branching.gathers_receivers, "a", "b")
        suspended = row(handle).waiting_for
        durable.send(handle.id, "for b", "b")
        run_until_idle()
        between = row(handle).waiting_for
        durable.send(handle.id, "for a", "a")
        run_until_idle()

        self.assertEqual(("*", "message:a"), (suspended, between))
        self.assertEqual(["for a", "for b"], handle.refresh().result())

    def test_for_the_same_topic_gets_a_message_of_its_own(self):
        """Two branches, one topic: each message is received by one of them."""
        handle = waiting(branching.gathers_receivers, "a", "a")
        durable.send(handle.id, 1, "a")
        run_until_idle()
        between = row(handle).status
        durable.send(handle.id, 2, "a")
        run_until_idle()

        self.assertEqual(("waiting", [1, 2]), (between, handle.refresh().result()))

    def test_beside_one_that_retries(self):
        """A step between two retries parks its branch, whether the pause is short or long."""
        for is_long in (False, True):
            handle = waiting(branching.gathers_retries, is_long=is_long)
            with travel(seconds=11):
                run_until_idle()
            with self.subTest(is_long=is_long):
                self.assertEqual(["a", "b"], handle.refresh().result())
                self.assertEqual({"a-1": 1, "a-2": 1, "b": 1}, counted())
                Mark.objects.all().delete()

    def test_for_children_runs_them_at_the_same_time(self):
        """All are started before the workflow suspends."""
        seen = []

        def count_and_call(number):
            seen.append(Workflow.objects.filter(parent__isnull=False).count())
            return child(number)

        with acting(branches(*(partial(count_and_call, number) for number in range(5)))):
            handle = waiting(gathers_differently)

        self.assertEqual([0, 2, 4, 6, 8], handle.result())
        self.assertEqual([0, 1, 2, 3, 4], seen[:5])

    def test_for_children_is_woken_a_few_times(self):
        """Of those that are waited for, the last one in order wakes the workflow, when others have ended, too."""
        with acting(branches(*(partial(waiting_child, str(number)) for number in range(20)))):
            handle = waiting(gathers_differently)
            *others, last = children_of(handle)
            for number, workflow_id in enumerate(others):
                durable.send(workflow_id, number, str(number))
            run_until_idle()
            before = (row(handle).waiting_for, row(handle).attempt)
            durable.send(last, 19, "19")
            run_until_idle()

        self.assertEqual(((f"child:{last}", 1), 2), (before, row(handle).attempt))
        self.assertEqual(list(range(20)), handle.refresh().result())

    def test_for_children_that_run_one_by_one_is_not_woken_by_each(self):
        """In the order in which they were started, as behind one thread: each end would replay all branches."""
        with acting(branches(*(partial(child, number) for number in range(50)))):
            handle = waiting(gathers_differently)

        self.assertEqual([number * 2 for number in range(50)], handle.result())
        self.assertEqual(2, row(handle).attempt)

    def test_for_what_nobody_wakes_several_for_is_found(self):
        """The end of a stranger, beside a message: whoever ends does not know of a workflow that waits for both."""
        stranger = waiting(waiting_child)
        with acting(branches(partial(durable.get_handle(stranger.id).result), partial(durable.receive, "a", None))):
            handle = waiting(gathers_differently)
            durable.send(stranger.id, "ended")
            run_until_idle()
            with travel(seconds=2):
                run_until_idle()
            durable.send(handle.id, "sent", "a")
            run_until_idle()

        self.assertEqual(["ended", "sent"], handle.refresh().result())


def counted():
    found = labels()
    return {label: found.count(label) for label in found}


class ABranchThatFails(TestCase):
    def test_lets_the_others_end_first(self):
        """Then the first error in order is raised."""
        handle = waiting(branching.gathers_with_errors, return_exceptions=False)
        before = row(handle).status
        with travel(seconds=61):
            run_until_idle()

        self.assertEqual(("waiting", ["a", "b", "c-1", "d", "c-2"]), (before, labels()))
        with self.assertRaisesMessage(LookupError, "b"):
            handle.refresh().result()

    def test_gives_its_error_among_the_results(self):
        """return_exceptions=True."""
        handle = waiting(branching.gathers_with_errors, return_exceptions=True)
        with travel(seconds=61):
            run_until_idle()

        first, second, third, fourth = handle.refresh().result()
        self.assertEqual(("a", ["c-1", "c-2"]), (first, third))
        self.assertEqual(["LookupError('b')", "LookupError('d')"], [repr(second), repr(fourth)])

    def test_and_is_caught_is_not_run_again_by_a_resume(self):
        """The code went on from the error, which stays; only what failed at the very end runs again."""
        handle = waiting(branching.gathers_what_is_caught)
        durable.send(handle.id, None)
        run_until_idle()
        row(handle).resume()
        run_until_idle()

        self.assertEqual({"a": 1, "b": 1, "caught": 1, "last": 2}, counted())
        self.assertEqual("failed", row(handle).status)

    def test_at_the_very_end_is_run_again_by_a_resume(self):
        """So is each branch that failed, and none that did not."""
        handle = waiting(branching.gathers_with_errors, return_exceptions=False)
        with travel(seconds=61):
            run_until_idle()
        row(handle).resume()
        with travel(seconds=61):
            run_until_idle()

        self.assertEqual({"a": 1, "b": 2, "c-1": 1, "c-2": 1, "d": 2}, counted())

    def test_by_what_is_no_exception_ends_the_workflow(self):
        """SystemExit fails it, and does not reach the worker."""

        def leave():
            raise SystemExit(3)

        handle = gathering(partial(mark, "a"), leave)

        with self.assertRaisesMessage(durable.WorkflowFailed, "SystemExit"):
            handle.result()

    def test_by_the_error_of_a_child_has_that_error(self):
        """Cancelled, for one."""
        with acting(branches(partial(waiting_child, "x"), partial(mark, "a"))):
            handle = waiting(gathers_differently)
            Workflow.objects.filter(parent=handle.id).cancel("not needed")
            run_until_idle()

        with self.assertRaises(WorkflowCancelled):
            handle.refresh().result()


class ACrashAmongBranches(TestCase):
    def test_replays_each_from_its_own_history(self):
        """Whichever step the worker dies behind: results are the same, and no step runs twice."""
        for number in (1, 2, 3, 4):
            handle = branching.gathers.start(a=60, b=60)
            with crash_after(mark, times=number):
                for _crash in range(number):
                    run_until_idle()
            with travel(seconds=61):
                run_until_idle()
            with travel(seconds=200):
                run_until_idle()
            with self.subTest(behind=number):
                self.assertEqual([["a-1", "a-2"], ["b-1", "b-2"]], handle.refresh().result())
                self.assertEqual({"a-1": 1, "a-2": 1, "b-1": 1, "b-2": 1}, counted())
            Mark.objects.all().delete()

    def test_keeps_the_moment_at_which_a_branch_wakes(self):
        """A branch that slept when the worker died sleeps until the same moment."""
        handle = waiting(branching.gathers, a=60, b=30)
        with travel(seconds=31), crash_before(mark):
            run_until_idle()
        with travel(seconds=62):
            run_until_idle()

        self.assertEqual([["a-1", "a-2"], ["b-1", "b-2"]], handle.refresh().result())
        self.assertEqual(1, labels().count("b-2"))

    def test_that_swaps_branches_diverges(self):
        """Code that calls another step in a branch than was recorded there is paused, with the place."""
        handle = gathering(partial(two_marks, "a"))
        with travel(seconds=61), acting(branches(partial(fail, "a"))):
            run_until_idle()

        self.assertEqual("paused", row(handle).status)
        self.assertIn("step 1.1.1 was recorded as 'mark' but the code now calls 'fail'", row(handle).reason)


class ABranchThatSwallows(TestCase):
    def test_its_wait_waits_all_the_same(self):
        """except BaseException cannot go on as if what it waits for had come."""

        def swallow():
            try:
                return durable.receive("a", None)
            except BaseException:
                Mark.objects.create(label="swallowed")
            return mark("went on")

        with acting(branches(swallow, partial(mark, "b"))):
            handle = waiting(gathers_differently)
            before = labels()
            durable.send(handle.id, "came", "a")
            run_until_idle()

        self.assertEqual((["swallowed", "b"], ["came", "b"]), (before, handle.refresh().result()))

    def test_its_wait_in_a_group_waits_all_the_same(self):
        """As a group of exceptions around it does."""

        def wrap():
            try:
                return durable.receive("a", None)
            except BaseException as error:
                raise BaseExceptionGroup("group", [error]) from error

        with acting(branches(wrap, partial(mark, "b"))):
            handle = waiting(gathers_differently)
            before = row(handle).status
            durable.send(handle.id, "came", "a")
            run_until_idle()

        self.assertEqual(("waiting", ["came", "b"]), (before, handle.refresh().result()))

    def test_a_cancel_ends_all_the_same(self):
        """No branch begins another step."""

        def cancel():
            durable.run_step(lambda: Workflow.objects.get().cancel("enough"), name="cancel")

        def swallow():
            try:
                return cancel()
            except BaseException:
                return mark("went on")

        handle = gathering(swallow, partial(mark, "b"))

        self.assertEqual(("cancelled", []), (row(handle).status, labels()))
