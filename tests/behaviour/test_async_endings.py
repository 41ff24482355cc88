"""How the code of async workflows and steps may end, and what interrupts it."""

import asyncio
from functools import partial
from unittest import mock

from asgiref.sync import sync_to_async
from django.test import TestCase

import durable_django as durable
from durable_django import Retry, StepAborted, WorkflowFailed, step
from durable_django.models import Step, Workflow
from durable_django.testing import crash_after, run_until_idle
from tests.behaviour.support import acting, labels, row, steps, waiting
from tests.sample import looping
from tests.sample.looping import acts_in_async, acts_in_async_step, amark
from tests.sample.models import Mark


class WhatTheCodeRaises(TestCase):
    """In an async workflow, and in its steps."""

    def test_is_the_outcome(self):
        """An exception, and a group of them."""

        async def fail():
            raise LookupError("no")

        async def fail_in_group():
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(asyncio.sleep(60))

        with acting(fail):
            single = waiting(acts_in_async)
        with acting(fail_in_group):
            group = waiting(acts_in_async)

        with self.assertRaisesMessage(LookupError, "no"):
            single.result()
        with self.assertRaises(ExceptionGroup) as caught:
            group.result()
        self.assertEqual(["LookupError('no')"], [repr(each) for each in caught.exception.exceptions])

    def test_may_be_system_exit(self):
        """It fails the workflow, or the step, and ends neither the loop nor the worker."""
        for definition, error in ((acts_in_async, WorkflowFailed), (acts_in_async_step, StepAborted)):
            with self.subTest(definition=definition.name), acting(leave):
                handle = waiting(definition)
                with self.assertRaisesMessage(error, "SystemExit"):
                    handle.result()

    def test_may_be_a_cancellation_of_its_own(self):
        """Nobody has cancelled it: it fails."""

        async def cancel():
            raise asyncio.CancelledError

        for definition, error in ((acts_in_async, WorkflowFailed), (acts_in_async_step, StepAborted)):
            with self.subTest(definition=definition.name), acting(cancel):
                handle = waiting(definition)
                with self.assertRaisesMessage(error, "CancelledError"):
                    handle.result()

    def test_may_be_ctrl_c(self):
        """It ends the worker; the workflow is given back, and counts that."""
        for definition in (acts_in_async, acts_in_async_step):
            handle = definition.start()
            with self.subTest(definition=definition.name), acting(press_ctrl_c):
                with self.assertRaises(KeyboardInterrupt):
                    run_until_idle()
                found = row(handle)
                self.assertEqual(("queued", None, 1), (found.status, found.worker, found.recoveries))
            Workflow._base_manager.all().delete()

    def test_may_be_an_interrupt_that_was_swallowed(self):
        """Code that catches everything waits all the same, and is cancelled all the same."""

        async def swallow():
            try:
                return await durable.areceive("a", None)
            except BaseException:
                await sync_to_async(Mark.objects.create)(label="swallowed")
            return await amark("went on")

        with acting(swallow):
            handle = waiting(acts_in_async)
            before = (row(handle).status, labels())
            durable.send(handle.id, "came", "a")
            run_until_idle()

        self.assertEqual(("waiting", ["before", "swallowed"]), before)
        self.assertEqual("came", handle.refresh().result())


async def leave():
    raise SystemExit(3)


def press_ctrl_c():
    raise KeyboardInterrupt


async def name_of_error(act, seconds=0.05):
    """Await it for so many seconds. Return its value, or the name of the error that comes of it."""
    try:
        async with asyncio.timeout(seconds):
            return await act()
    except (StepAborted, TimeoutError) as error:
        return type(error).__name__


class ATimeoutOfTheCodesOwn(TestCase):
    """asyncio.timeout() around durable calls: what was recorded decides, at every replay the same."""

    def assert_same_at_a_replay(self, expected, act):
        """Check what comes of it in the attempt in which it happens, and in the next one."""
        seen = []

        async def watch():
            seen.append(await act())
            return seen[-1]

        with acting(watch), crash_after(amark, times=2):
            handle = acts_in_async.start()
            for _attempt in range(3):
                run_until_idle()

        self.assertEqual(([expected, expected], expected), (seen, handle.result()))

    def test_cancels_a_step_for_good(self):
        """The step is recorded as left, without a retry, and raises that again."""

        async def in_time():
            try:
                async with asyncio.timeout(0.05):
                    await looping.anap("a", 60)
            except (StepAborted, TimeoutError) as error:
                return type(error).__name__

        with acting(in_time), crash_after(amark, times=1):
            handle = waiting(acts_in_async)
            run_until_idle()

        self.assertEqual(("StepAborted", ["amark", "anap", "amark"]), (handle.result(), steps(handle)))

    def test_does_not_cut_a_record_short(self):
        """A step whose body has ended is recorded and returned, however late the database is."""

        async def in_time():
            async with asyncio.timeout(0.05):
                return await looping.mark_slowly.acall("a")

        with acting(in_time):
            handle = waiting(acts_in_async)

        self.assertEqual(("a", ["amark", "mark_slowly", "amark"]), (handle.result(), steps(handle)))

    def test_hits_the_next_step_instead(self):
        """A cancellation that came while a step could not be interrupted is not lost."""

        async def in_time():
            try:
                async with asyncio.timeout(0.05):
                    await looping.mark_slowly.acall("a")
                    await looping.anap("b", 60)
            except (StepAborted, TimeoutError) as error:
                return type(error).__name__

        with acting(in_time):
            handle = waiting(acts_in_async)

        self.assertEqual("StepAborted", handle.result())
        self.assertEqual(["amark", "mark_slowly", "anap", "amark"], steps(handle))

    def test_cancels_all_branches_of_a_gather(self):
        """Each of them is recorded as left."""
        branches = [partial(looping.anap, "a", 60), partial(durable.areceive, "never", None)]

        self.assert_same_at_a_replay("StepAborted", lambda: name_of_error(partial(durable.agather, *branches)))

    def test_cancels_a_wait_for_good(self):
        """Beside something that is busy: a wait that was given up is recorded as such, and takes no message."""

        async def beside():
            given_up = partial(name_of_error, partial(durable.areceive, "a", None))
            left, _slept = await durable.agather(given_up, partial(looping.anap, "busy", 0.3))
            await durable.asend(durable.current_workflow().id, "came", "a")
            return left, await durable.areceive("a", None)

        self.assert_same_at_a_replay(("StepAborted", "came"), beside)

    def test_cancels_the_wait_behind_a_step_that_could_not_be_interrupted(self):
        """As it would have cancelled the step."""

        async def too_late():
            await looping.mark_slowly.acall("a")
            return await durable.areceive("never", None)

        self.assert_same_at_a_replay("StepAborted", lambda: name_of_error(too_late))

    def test_cancels_a_step_between_two_retries(self):
        """Whether the pause is awaited in the event loop, or the step is parked beside something busy."""
        tasks = []

        async def retry_it():
            tasks.append(asyncio.current_task())
            return await name_of_error(partial(looping.afail, "a"), 60)

        async def cancel_it():
            await until_it_is_to_be_called_again()
            tasks[-1].cancel()

        for base_seconds in (0.9, 60):
            retry = Retry(max_attempts=1000, base_seconds=base_seconds, factor=1, jitter=0)
            with self.subTest(pause=base_seconds), mock.patch.object(looping.afail.spec, "retry", retry):
                self.assert_same_at_a_replay(["StepAborted", None], lambda: durable.agather(retry_it, cancel_it))
                self.assertEqual(labels().count("a"), Step.objects.get(name="afail").retries)
            Mark.objects.all().delete()
            Workflow._base_manager.all().delete()


@step
async def until_it_is_to_be_called_again():
    while not await Step.objects.filter(name="afail").aexists():  # noqa: ASYNC110 - the row tells it
        await asyncio.sleep(0.01)
