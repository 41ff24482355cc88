"""worker/database_threads.py: a bounded number of threads for what async workflows ask the database."""

import asyncio
import threading
import time
from contextvars import ContextVar

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections
from django.test import SimpleTestCase, TransactionTestCase

from durable_django.base.interrupts import Released, Stopped
from durable_django.engine import asides
from durable_django.engine.asides import Late
from durable_django.worker.database_threads import DatabaseThreads
from tests.behaviour.support import eventually
from tests.sample.models import Mark

LIMIT_SECONDS = 30


class ThreadsTestCase(SimpleTestCase):
    size = 3

    def run_in_loop(self, main):
        """Run an async function with threads of its own, which end with it. Return its value."""
        threads = DatabaseThreads(self.size)

        async def whole():
            async with asyncio.timeout(LIMIT_SECONDS):
                return await main(threads)

        try:
            # Not async_to_sync(), which has a thread of its own for what asks the database.
            return asyncio.run(whole())
        finally:
            threads.stop()
            eventually(lambda: not alive(), "the threads have ended")


def alive():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("durable-database")]


def where():
    return threading.current_thread().name


class Held:
    """Calls that hold their thread until the test lets them go."""

    def __init__(self):
        self.going = threading.Event()
        self.busy = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        self.going.wait(LIMIT_SECONDS)
        with self._lock:
            self.busy -= 1
        return where()


async def until(condition):
    while not condition():  # noqa: ASYNC110 - threads make it true
        await asyncio.sleep(0.005)


class StatementsOfTheEngine(ThreadsTestCase):
    def test_run_in_threads_of_their_own(self):
        """As many as needed, and no more than there may be; what is left over waits for its turn."""

        async def main(threads):
            held = Held()
            calls = [asyncio.ensure_future(threads(held)) for _ in range(5)]
            await until(lambda: held.busy == 3)
            await asyncio.sleep(0.02)
            held.going.set()
            return held.most, len(set(await asyncio.gather(*calls)))

        self.assertEqual((3, 3), self.run_in_loop(main))

    def test_share_one_thread_if_one_is_enough(self):
        """A thread is made only when none is free."""

        async def main(threads):
            return {await threads(where) for _ in range(5)}

        self.assertEqual({"durable-database-0"}, self.run_in_loop(main))

    def test_raise_what_they_raise(self):
        """Exceptions of any kind; the thread goes on."""

        async def main(threads):
            for error in (LookupError("x"), Released()):
                try:
                    await Late().outlast(threads(raising(error)))
                except BaseException as caught:
                    assert caught is error, caught
            return await threads(where)

        self.assertEqual("durable-database-0", self.run_in_loop(main))

    def test_turn_ctrl_c_into_an_interrupt(self):
        """Out of a task it would end the event loop of all workflows."""

        async def main(threads):
            try:
                await Late().outlast(threads(raising(KeyboardInterrupt())))
            except Stopped as stopped:
                return type(stopped.error)

        self.assertIs(KeyboardInterrupt, self.run_in_loop(main))

    def test_see_the_context_of_their_task(self):
        """And what they change in it nobody else sees."""
        variable = ContextVar("variable", default="unset")

        async def main(threads):
            variable.set("task")
            seen = await threads(variable.get)
            await Late().outlast(threads(lambda: variable.set("thread")))
            return seen, variable.get()

        self.assertEqual(("task", "task"), self.run_in_loop(main))


def raising(error):
    def act():
        raise error

    return act


class ACancellation(ThreadsTestCase):
    def test_waits_for_the_end_of_what_cannot_be_stopped(self):
        """The value is not lost, and the cancellation follows."""

        async def main(threads):
            held, late = Held(), Late()
            task = asyncio.ensure_future(late.outlast(threads(held)))
            await until(lambda: held.busy)
            task.cancel()
            await asyncio.sleep(0.02)
            held.going.set()
            value = await task
            try:
                late.follow()
            except asyncio.CancelledError:
                return value, held.busy
            return None

        self.assertEqual(("durable-database-0", 0), self.run_in_loop(main))

    def test_of_what_waits_for_a_thread_costs_none(self):
        """A step that is cancelled before it got a thread does not get one later, and keep it."""

        async def main(threads):
            held = Held()
            busy = [asyncio.ensure_future(threads(held)) for _ in range(3)]

            async def ask():
                with threads.seat():
                    return await sync_to_async(where)()

            waiting = [asyncio.ensure_future(ask()) for _ in range(5)]
            await until(lambda: held.busy == 3)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            held.going.set()
            await asyncio.gather(*busy)
            return [await asyncio.wait_for(ask(), 5) for _ in range(3)]

        self.assertEqual(3, len(self.run_in_loop(main)))

    def test_of_a_step_gives_the_thread_back_when_it_is_free(self):
        """A query that nobody waits for any more holds its thread to its end: nobody else stands in line behind it."""

        async def main(threads):
            held = Held()

            async def ask():
                with threads.seat():
                    await sync_to_async(held)()

            task = asyncio.ensure_future(ask())
            await until(lambda: held.busy)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            others = {await asyncio.wait_for(threads(where), 5) for _ in range(5)}
            held.going.set()
            await until(lambda: not held.busy)
            return others

        self.assertEqual({"durable-database-1"}, self.run_in_loop(main))


class Steps(ThreadsTestCase):
    def test_have_one_thread_each_while_they_use_it(self):
        """Whatever a step asks through sync_to_async() runs in one thread, until it ends."""

        async def main(threads):
            async def ask():
                with threads.seat():
                    first = await sync_to_async(where)()
                    await asyncio.sleep(0.01)
                    both = await asyncio.gather(*(sync_to_async(where)() for _ in range(3)))
                    return {first, *both}

            return await ask(), await ask()

        first, second = self.run_in_loop(main)
        self.assertEqual((1, 1), (len(first), len(second)))

    def test_that_ask_nothing_have_none(self):
        """No thread is made."""

        async def main(threads):
            with threads.seat():
                await asyncio.sleep(0)
            return alive()

        self.assertEqual([], self.run_in_loop(main))

    def test_leave_threads_to_the_engine(self):
        """However many of them ask, and however long: awaited ones and those that are called in a thread."""

        async def main(threads):
            held = Held()

            async def ask():
                with threads.seat():
                    await sync_to_async(held)()

            steps = [asyncio.ensure_future(ask()) for _ in range(3)]
            steps += [asyncio.ensure_future(threads(held, is_of_step=True)) for _ in range(3)]
            await until(lambda: held.busy == 1)
            statements = {await asyncio.wait_for(threads(where), 5) for _ in range(3)}
            held.going.set()
            await asyncio.gather(*steps)
            return held.most, len(statements)

        self.assertEqual((1, 1), self.run_in_loop(main))

    def test_that_have_ended_leave_nobody_behind(self):
        """A task that a step has left behind is told so, instead of getting a thread without a bound."""

        async def main(threads):
            async def later():
                await asyncio.sleep(0.02)
                await sync_to_async(where)()

            with threads.seat():
                task = asyncio.ensure_future(later())
            try:
                await task
            except RuntimeError as error:
                return str(error)
            return None

        self.assertIn("has ended", self.run_in_loop(main))

    def test_of_which_nothing_may_block_the_process(self):
        """The threads are daemons: a process that must end does not wait for them."""

        async def main(threads):
            await threads(where)
            return [thread.daemon for thread in threading.enumerate() if thread.name.startswith("durable-database")]

        self.assertEqual([True], self.run_in_loop(main))


class Connections(TransactionTestCase):
    def test_are_closed_with_the_threads(self):
        """And a transaction that user code has left open is rolled back when the thread is given back."""
        threads = DatabaseThreads(1)
        sessions = []

        def leave_open():
            connections["default"].ensure_connection()
            sessions.append(connections["default"].connection)
            connections["default"].set_autocommit(False)
            Mark.objects.create(label="left open")

        async def main():
            await threads(leave_open)
            return await threads(Mark.objects.count)

        count = asyncio.run(main())
        threads.stop()
        eventually(lambda: not alive(), "the threads have ended")

        self.assertEqual(0, count)
        self.assertTrue(is_closed(sessions[0]))

    def test_are_tried_after_a_long_rest(self):
        """One that the server has closed meanwhile is replaced before it is used."""
        threads = DatabaseThreads(1)

        def break_it():
            connections["default"].ensure_connection()
            connections["default"].connection.close()
            threads._all[0]._idle_since -= 60

        async def main():
            await threads(break_it)
            threads._all[0]._idle_since -= 60
            return await threads(Mark.objects.count)

        count = asyncio.run(main())
        threads.stop()
        eventually(lambda: not alive(), "the threads have ended")

        self.assertEqual(0, count)


def is_closed(session):
    if connections["default"].vendor == "postgresql":
        return session.closed
    try:
        session.execute("SELECT 1")
    except Exception:
        return True
    return False


class OneThread(TransactionTestCase):
    def test_is_that_of_the_caller(self):
        """async_to_sync() lets the calling thread ask the database."""

        async def main():
            threads = asides.OneThread()
            with threads.seat():
                return await threads(threading.get_ident), await sync_to_async(threading.get_ident)()

        began = time.monotonic()
        self.assertEqual({threading.get_ident()}, set(async_to_sync(main)()))
        self.assertLess(time.monotonic() - began, LIMIT_SECONDS)
