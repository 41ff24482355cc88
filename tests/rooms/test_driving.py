"""engine/driving.py and engine/asides.py: one flow, driven in a thread or in a task; early cancellations."""

import asyncio
import threading

from django.test import SimpleTestCase

from durable_django.base.interrupts import Parked, Released
from durable_django.engine.asides import Late
from durable_django.engine.driving import Blocking, Nap, UserCode, adrive, drive
from durable_django.engine.ownership import Ownership


class Threads:
    """Calls each act in a thread of its own, and notes which were of steps."""

    def __init__(self):
        self.of_steps = []

    async def __call__(self, act, *, is_of_step=False):
        if is_of_step:
            self.of_steps.append(act)
        return await asyncio.to_thread(act)


def flow(owner):
    """Every kind of act, and an error that is caught."""
    seen = [(yield Blocking(max, 1, 2))]
    try:
        yield Blocking(int, "x")
    except ValueError:
        seen.append("caught")
    yield Nap(owner, 0.001)
    seen.append((yield UserCode(lambda: "called", None)))
    seen.append((yield UserCode(lambda: "called", awaited)))
    return seen


async def awaited():
    await asyncio.sleep(0)
    return "awaited"


class AFlow(SimpleTestCase):
    def test_is_the_same_in_a_thread_and_in_a_task(self):
        """But that what can be awaited is."""
        owner, threads = Ownership("w"), Threads()

        in_thread = drive(flow(owner))
        in_task = asyncio.run(adrive(flow(owner), threads, Late()))

        self.assertEqual([2, "caught", "called", "called"], in_thread)
        self.assertEqual([2, "caught", "called", "awaited"], in_task)
        self.assertEqual(1, len(threads.of_steps))

    def test_that_naps_notices_that_the_process_shuts_down(self):
        """In either way."""
        owner = Ownership("w")
        owner.draining.set()

        with self.assertRaises(Released):
            drive(flow(owner))
        with self.assertRaises(Released):
            asyncio.run(adrive(flow(owner), Threads(), Late()))


class ACancellation(SimpleTestCase):
    """Of the task that drives a flow."""

    def cancelled_in(self, make_flow):
        """Drive a flow whose first act is held until its task is cancelled. Return what comes of it, and Late."""
        going, begun, late = threading.Event(), threading.Event(), Late()

        def hold():
            begun.set()
            going.wait(30)
            return "held"

        async def main():
            task = asyncio.ensure_future(adrive(make_flow(hold), Threads(), late))
            while not begun.is_set():  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.sleep(0.01)
            going.set()
            try:
                return await task
            except BaseException as error:
                return error

        return asyncio.run(main()), late

    def test_does_not_keep_what_was_asked_from_being_recorded(self):
        """Statements of the engine are outlasted, one after the other; the cancellation is left for later."""

        def two_statements(hold):
            first = yield Blocking(hold)
            return [first, (yield Blocking(lambda: "recorded"))]

        value, late = self.cancelled_in(two_statements)

        self.assertEqual(["held", "recorded"], value)
        self.assertRaises(asyncio.CancelledError, late.follow)
        late.follow()

    def test_keeps_what_has_not_begun_from_beginning(self):
        """User code and naps behind it are left out: the flow gets the cancellation instead."""

        def code_behind(hold):
            yield Blocking(hold)
            try:
                yield UserCode(lambda: "begun", None)
            except asyncio.CancelledError:
                return "left out"

        def nap_behind(hold):
            yield Blocking(hold)
            yield Nap(Ownership("w"), 60)

        self.assertEqual("left out", self.cancelled_in(code_behind)[0])
        self.assertIsInstance(self.cancelled_in(nap_behind)[0], asyncio.CancelledError)

    def test_is_not_lost_in_a_wait(self):
        """It is left for the board, which gives the wait up instead of waiting."""

        def wait_behind(hold):
            yield Blocking(hold)
            raise Parked(())

        value, late = self.cancelled_in(wait_behind)

        self.assertIsInstance(value, Parked)
        self.assertRaises(asyncio.CancelledError, late.follow)
