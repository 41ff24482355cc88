"""Several things at the same time in an async workflow: agather(), and what asyncio itself has for it."""

import asyncio
import time
from contextvars import Context
from functools import partial
from unittest import mock

from asgiref.sync import sync_to_async
from django.test import TestCase

import durable_django as durable
from durable_django import step
from durable_django.models import Step, Workflow
from durable_django.testing import crash_after, run_until_idle, travel
from tests.behaviour.support import LIMIT_SECONDS, acting, labels, row, steps, waiting
from tests.sample import looping
from tests.sample.branching import branches, child, children_of, mark, waiting_child
from tests.sample.looping import acts_in_async, afail, agathers_differently, amark, anap, two_amarks
from tests.sample.models import Mark


def places(handle):
    """Return where each recorded step stands, with its name."""
    rows = Step.objects.filter(workflow=handle.id).order_by("branch", "position")
    return [(each.place, each.name) for each in rows]


def gathering(*calls):
    """Run an async workflow with these branches until it is idle. Return its handle."""
    with acting(branches(*calls)):
        return waiting(agathers_differently)


class AnAsyncBranch(TestCase):
    def test_numbers_its_own_steps(self):
        """As in gather(): under the position of agather() and its own number."""
        handle = waiting(looping.agathers, a=60, b=60)
        with travel(seconds=61):
            run_until_idle()

        self.assertEqual([["a-1", "a-2"], ["b-1", "b-2"]], handle.refresh().result())
        names = ["amark", "sleep", "amark"]
        expected = [(f"1.{branch}.{position}", name) for branch in (1, 2) for position, name in enumerate(names, 1)]
        self.assertEqual(expected, places(handle))

    def test_may_be_anything_that_can_be_called(self):
        """Steps and workflows of either kind, async functions, and what gives something to be awaited."""
        steps_and_workflows = [
            partial(mark, "a"),
            partial(amark, "b"),
            partial(child, 3),
            partial(looping.async_child, 4),
        ]
        functions = [lambda: amark("c"), partial(two_amarks, "d", 0), lambda: 7, mark_itself]

        handle = gathering(*steps_and_workflows, *functions)

        self.assertEqual(["a", "b", 6, 8, "c", ["d-1", "d-2"], 7, "itself"], handle.result())

    def test_lets_the_others_go_on_while_it_waits(self):
        """An hour of sleep beside eight steps: each of these runs once, in the first attempt."""

        async def eight():
            return [await amark(f"b-{number}") for number in range(8)]

        with acting(branches(partial(two_amarks, "a", 3600), eight)):
            handle = waiting(agathers_differently)
            before, attempt = labels(), row(handle).attempt
            with travel(seconds=3601):
                run_until_idle()

        self.assertEqual((9, 1), (len(before), attempt))
        self.assertEqual([*before, "a-2"], labels())
        self.assertEqual((2, "succeeded"), (row(handle).attempt, row(handle).status))

    def test_goes_on_when_its_answer_comes_while_others_are_busy(self):
        """Nobody has to suspend for that: the answer is looked for meanwhile."""

        async def answer():
            await anap("nap", 0.1)
            await durable.asend(durable.current_workflow().id, "came", "a")
            await anap("nap", 0.8)
            return labels_now

        labels_now = "busy"
        handle = gathering(partial(durable.areceive, "a", None), answer)

        self.assertEqual((["came", "busy"], 1), (handle.result(), row(handle).attempt))

    def test_waits_for_a_topic_of_its_own(self):
        """Two topics, and one topic twice: each message is received once."""
        for topics in (("a", "b"), ("a", "a")):
            handle = waiting(looping.agathers_receivers, *topics)
            durable.send(handle.id, "second", topics[1])
            run_until_idle()
            between = row(handle).status
            durable.send(handle.id, "first", topics[0])
            run_until_idle()
            with self.subTest(topics=topics):
                self.assertEqual("waiting", between)
                self.assertEqual({"first", "second"}, set(handle.refresh().result()))

    def test_that_fails_lets_the_others_end_first(self):
        """Then the first error in order is raised."""
        calls = [partial(afail, "a"), partial(two_amarks, "b"), partial(afail, "c")]
        with acting(branches(*calls)):
            handle = waiting(agathers_differently)
            with travel(seconds=61):
                run_until_idle()

        with self.assertRaisesMessage(LookupError, "a"):
            handle.refresh().result()
        self.assertIn("b-2", labels())

    def test_that_fails_may_stand_among_the_results(self):
        """return_exceptions=True."""

        async def gather_all():
            return await durable.agather(partial(afail, "a"), partial(amark, "b"), return_exceptions=True)

        with acting(gather_all):
            handle = waiting(acts_in_async)

        error, value = handle.result()
        self.assertEqual(("LookupError('a')", "b"), (repr(error), value))

    def test_may_be_nested(self):
        """Branches of branches; each level waits for its own."""

        async def inner(name):
            await amark(f"{name}-before")
            found = await durable.agather(partial(two_amarks, f"{name}1"), partial(two_amarks, f"{name}2", 30))
            await amark(f"{name}-after")
            return found

        with acting(branches(partial(inner, "a"), partial(inner, "b"))):
            handle = waiting(agathers_differently)
            with travel(seconds=61):
                run_until_idle()

        self.assertEqual([[[f"{n}{k}-1", f"{n}{k}-2"] for k in (1, 2)] for n in "ab"], handle.refresh().result())
        self.assertEqual(12, len(set(labels())))
        self.assertEqual(12, len(labels()))

    def test_that_is_left_by_system_exit_ends_the_workflow(self):
        """And nothing else."""

        async def leave():
            raise SystemExit(3)

        handle = gathering(partial(amark, "a"), leave)

        with self.assertRaisesMessage(durable.WorkflowFailed, "SystemExit"):
            handle.result()

    def test_that_is_left_by_ctrl_c_ends_the_worker(self):
        """The workflow is given back, and the steps of its neighbours are not recorded as left."""

        async def press():
            await asyncio.sleep(0.05)
            raise KeyboardInterrupt

        with acting(branches(partial(amark, "a"), partial(anap, "b", 60), press)):
            handle = agathers_differently.start()
            with self.assertRaises(KeyboardInterrupt):
                run_until_idle()

        self.assertEqual(("queued", 1), (row(handle).status, row(handle).recoveries))
        self.assertEqual(["amark"], steps(handle))

    def test_that_swallows_its_wait_waits_all_the_same(self):
        """except BaseException cannot go on as if what it waits for had come."""

        async def swallow():
            try:
                return await durable.areceive("a", None)
            except BaseException:
                await sync_to_async(Mark.objects.create)(label="swallowed")
            return await amark("went on")

        with acting(branches(swallow, partial(amark, "b"))):
            handle = waiting(agathers_differently)
            before = set(labels())
            durable.send(handle.id, "came", "a")
            run_until_idle()

        self.assertEqual(({"b", "swallowed"}, ["came", "b"]), (before, handle.refresh().result()))

    def test_retries_beside_others(self):
        """Long pauses park it, short ones are awaited."""
        with acting(branches(partial(looping.anapping, "a"), partial(looping.asuspending, "b"), partial(amark, "c"))):
            handle = waiting(agathers_differently)
            with travel(seconds=11):
                run_until_idle()

        self.assertEqual(["a", "b", "c"], handle.refresh().result())
        self.assertEqual(["a-1", "a-2", "b-1", "b-2", "c"], sorted(labels()))


class Meeting:
    """Replaced by the test whose steps meet there."""

    barrier = None


@step
async def ameet(number):
    await asyncio.wait_for(Meeting.barrier.wait(), LIMIT_SECONDS)
    return number


async def mark_itself():
    return await amark("itself")


class ACrashAmongAsyncBranches(TestCase):
    def test_replays_each_from_its_own_history(self):
        """Whichever step the worker dies behind: results are the same, and no recorded step runs again."""
        for number in (1, 2, 3, 4):
            handle = looping.agathers.start(a=60, b=60)
            with crash_after(amark, times=number):
                for _crash in range(number):
                    run_until_idle()
            for seconds in (61, 200):
                with travel(seconds=seconds):
                    run_until_idle()
            with self.subTest(behind=number):
                self.assertEqual([["a-1", "a-2"], ["b-1", "b-2"]], handle.refresh().result())
                self.assertEqual(["amark", "sleep", "amark"], [name for place, name in places(handle) if place < "1.2"])
            Mark.objects.all().delete()


class CallsAtTheSameTime(TestCase):
    def test_take_their_places_in_the_order_of_the_calls(self):
        """By asyncio.gather() and in a TaskGroup: whatever finishes first, a replay finds each its own."""
        slow_first = [partial(anap, "a", 0.1), partial(anap, "b", 0.01)]

        async def together():
            found = await asyncio.gather(*(call() for call in slow_first))
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(call()) for call in slow_first]
            return [*found, *(task.result() for task in tasks)]

        with acting(together), crash_after(amark, times=1):
            handle = waiting(acts_in_async)
            run_until_idle()

        self.assertEqual(["a", "b", "a", "b"], handle.result())
        recorded = handle.workflow.steps.filter(name="anap").order_by("position").values_list("output", flat=True)
        self.assertEqual(['"a"', '"b"', '"a"', '"b"'], list(recorded))

    def test_really_happen_at_the_same_time(self):
        """Twenty steps, none of which goes on before all have begun."""

        async def together():
            return len(await asyncio.gather(*(ameet(number) for number in range(20))))

        with acting(together), mock.patch.object(Meeting, "barrier", asyncio.Barrier(20)):
            handle = waiting(acts_in_async)

        self.assertEqual(20, handle.result())

    def test_wait_together(self):
        """One receives, the other sleeps: suspended until the first of both, woken for each."""

        async def together():
            return await asyncio.gather(durable.areceive("a", None), durable.asleep(60), amark("c"))

        with acting(together):
            handle = waiting(acts_in_async)
            before = (row(handle).status, row(handle).waiting_for, labels())
            with travel(seconds=61):
                run_until_idle()
                between = row(handle).waiting_for
                durable.send(handle.id, "came", "a")
                run_until_idle()

        self.assertEqual((("waiting", "*", ["before", "c"]), "message:a"), (before, between))
        self.assertEqual(["came", None, "c"], handle.refresh().result())

    def test_that_nobody_awaits_do_not_outlive_the_workflow(self):
        """A task that the code has left behind is cancelled; the workflow ends with its value, not with that wait."""

        async def leave_behind():
            tasks = [asyncio.create_task(durable.areceive("never", None)), asyncio.create_task(anap("long", 60))]
            await amark("first")
            return len(tasks)

        with acting(leave_behind):
            handle = waiting(acts_in_async)

        self.assertEqual((2, 1), (handle.result(), row(handle).attempt))

    def test_go_on_beside_a_wait_however_the_tasks_are_nested(self):
        """Between two rounds of steps nothing is busy for a moment: that is no reason to suspend."""

        async def rounds():
            waiting_one = asyncio.create_task(durable.areceive("a", None))
            for number in range(3):
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.wait_for(amark(f"{number}"), 60))
            await durable.asend(durable.current_workflow().id, "came", "a")
            return await waiting_one

        with acting(rounds):
            handle = waiting(acts_in_async)

        self.assertEqual("came", handle.result())
        self.assertEqual(["before", "0", "1", "2", "after"], labels())
        self.assertLessEqual(row(handle).attempt, 2)

    def test_beside_what_is_not_durable_are_not_suspended_at_once(self):
        """A branch that awaits something else for a moment is not taken for one that waits."""

        async def pause():
            await asyncio.sleep(0.3)
            return await amark("after the pause")

        handle = gathering(partial(durable.areceive, "a", None), pause)

        self.assertEqual(("waiting", ["after the pause"]), (row(handle).status, labels()))

    def test_do_not_wait_for_what_is_not_durable_for_long(self):
        """After a second the workflow is suspended over its head, and begins again when its answer comes."""
        began = time.monotonic()

        handle = gathering(partial(durable.areceive, "a", None), partial(asyncio.sleep, 60))

        self.assertEqual("message:a", row(handle).waiting_for)
        self.assertLess(time.monotonic() - began, 30)

    def test_of_children_wake_the_workflow_a_few_times(self):
        """All are started at once; of those that are waited for the last one in order wakes it."""
        calls = branches(*(partial(waiting_child, str(number)) for number in range(20)))
        with acting(calls):
            handle = waiting(agathers_differently)
            *others, last = children_of(handle)
            for workflow_id in others:
                durable.send(workflow_id, workflow_id, str(others.index(workflow_id)))
            run_until_idle()
            before = (row(handle).waiting_for, row(handle).attempt)
            durable.send(last, last, "19")
            run_until_idle()

        self.assertEqual(((f"child:{last}", 1), 2), (before, row(handle).attempt))
        self.assertEqual([*others, last], handle.refresh().result())

    def test_wait_for_a_stranger_among_others(self):
        """Whose end nobody tells to one who waits for several: it is looked for."""
        stranger = waiting(waiting_child)
        with acting(branches(durable.WorkflowHandle(stranger.id).aresult, partial(durable.areceive, "a", None))):
            handle = waiting(agathers_differently)
            durable.send(stranger.id, "ended")
            run_until_idle()
            with travel(seconds=2):
                run_until_idle()
            durable.send(handle.id, "sent", "a")
            run_until_idle()

        self.assertEqual(["ended", "sent"], handle.refresh().result())

    def test_end_with_the_workflow_that_is_cancelled(self):
        """What is in the middle of a step is interrupted."""

        async def cancel():
            # As an operator does: outside of the workflow's context.
            await sync_to_async(Context().run)(lambda: Workflow.objects.get().cancel("enough"))
            await amark("too late")

        handle = gathering(partial(anap, "long", 60), cancel)

        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).worker))
        self.assertEqual([], [name for name in steps(handle) if name == "anap"])
