"""engine/boards.py: what an async run does and waits for; when it is suspended, and how it ends."""

import asyncio
from functools import partial
from unittest import mock

from asgiref.sync import sync_to_async
from django.test import TestCase

import durable_django as durable
from durable_django.engine import boards, waits
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import acting, labels, row, waiting
from tests.sample.branching import branches
from tests.sample.looping import acts_in_async, agathers_differently, amark, anap


class TheSuspension(TestCase):
    def test_is_decided_when_nothing_goes_on(self):
        """Not while an operation is busy, however long."""
        calls = branches(partial(durable.areceive, "a", None), partial(anap, "busy", 0.6))
        with mock.patch.object(waits, "suspend", side_effect=waits.suspend) as suspend, acting(calls):
            handle = waiting(agathers_differently)

        self.assertEqual(("waiting", 1), (row(handle).status, suspend.call_count))

    def test_waits_for_lines_that_are_somewhere_else(self):
        """For a second: code that awaits what is not durable gets that long."""

        async def elsewhere():
            await asyncio.sleep(0.5)
            return await amark("back")

        with mock.patch.object(boards, "_GRACE_SECONDS", 5), acting(branches(partial(durable.asleep, 60), elsewhere)):
            handle = waiting(agathers_differently)

        self.assertEqual(("waiting", ["back"]), (row(handle).status, labels()))

    def test_does_not_wait_for_ever_for_a_line_that_is_somewhere_else(self):
        """Branches may wait for each other by means of asyncio; a replay does so again."""
        come = []

        async def first():
            come.append(asyncio.Event())
            value = await durable.areceive("a", None)
            come[-1].set()
            return value

        async def second():
            await asyncio.sleep(0)
            await come[-1].wait()
            return await amark("second")

        with acting(branches(first, second)):
            handle = waiting(agathers_differently)
            suspended = row(handle).status
            durable.send(handle.id, "came", "a")
            run_until_idle()

        self.assertEqual(("waiting", ["came", "second"]), (suspended, handle.refresh().result()))

    def test_that_fails_does_not_leave_the_run_waiting(self):
        """An error of the engine itself ends the attempt; the workflow is put back."""
        with acting(lambda: durable.areceive("a", None)), mock.patch.object(waits, "_ready", side_effect=RuntimeError):
            handle = waiting(acts_in_async)
        put_back = row(handle).status
        with travel(seconds=100), acting(lambda: durable.areceive("a", None)):
            run_until_idle()

        self.assertEqual(("queued", "waiting"), (put_back, row(handle).status))

    def test_tells_nobody_of_futures_that_nobody_awaited(self):
        """What is cancelled with a wait leaves no complaint of asyncio behind."""
        said = []

        async def listen():
            asyncio.get_running_loop().set_exception_handler(lambda _loop, told: said.append(told))
            return await asyncio.gather(durable.areceive("a", None), durable.asleep(60))

        with acting(listen):
            handle = waiting(acts_in_async)

        self.assertEqual(("waiting", []), (row(handle).status, said))


class TheEndOfTheCode(TestCase):
    def test_waits_for_a_step_that_was_left_behind(self):
        """Nobody else may begin beside it: it is cancelled, cleans up, and then the outcome is written."""

        async def clean_up_slowly():
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.05)
                await sync_to_async(note)()

        statuses = []

        def note():
            statuses.append(Workflow.objects.get().status)

        async def leave_behind():
            tasks.append(asyncio.create_task(durable.run_step(clean_up_slowly)))
            await amark("first")

        tasks = []
        with acting(leave_behind):
            handle = waiting(acts_in_async)

        self.assertEqual((["running"], "succeeded"), (statuses, row(handle).status))

    def test_lets_nothing_begin_any_more(self):
        """A task that was left behind is cancelled at its next operation."""
        tasks, ends = [], []

        async def late(step, is_left):
            await is_left.wait()
            try:
                await step
            except BaseException as error:
                ends.append(type(error))
                raise

        async def leave_behind():
            is_left = asyncio.Event()
            tasks.append((asyncio.create_task(late(amark("late"), is_left)), is_left))
            await amark("first")

        async def leave(board):
            await leave_at_once(board)
            task, is_left = tasks[0]
            is_left.set()
            await asyncio.wait([task], timeout=30)

        with acting(leave_behind), mock.patch.object(boards.Board, "leave", leave):
            waiting(acts_in_async)

        self.assertEqual([asyncio.CancelledError], ends)
        self.assertNotIn("late", labels())


leave_at_once = boards.Board.leave


class ACall(TestCase):
    def test_takes_its_place_at_the_call(self):
        """Not when it is awaited: what is awaited first may have been called last."""

        async def swap():
            first, second = amark("first"), amark("second")
            await second
            await first

        with acting(swap):
            handle = waiting(acts_in_async)

        rows = handle.workflow.steps.filter(name="amark").order_by("position").values_list("output", flat=True)
        self.assertEqual(['"before"', '"first"', '"second"', '"after"'], list(rows))
        self.assertEqual(["before", "second", "first", "after"], labels())
