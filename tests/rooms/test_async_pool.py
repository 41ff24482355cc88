"""worker/async_pool.py: one event loop that runs claimed async workflows side by side, whatever they raise."""

import asyncio
import threading
import time
from functools import partial

from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test import TransactionTestCase

import durable_django as durable
from durable_django import signals
from durable_django.base import registry
from durable_django.base.interrupts import LeaseLost, LetGo
from durable_django.engine import stopping
from durable_django.engine.ownership import Ownership
from durable_django.models import Worker, Workflow
from durable_django.testing import run_until_idle
from durable_django.worker.async_pool import AsyncPool
from tests.behaviour.support import acting, eventually, labels, row, steps
from tests.sample import looping
from tests.sample.branching import branches, child
from tests.sample.looping import acts_in_async, acts_in_async_step, anap, nap_in_step
from tests.sample.models import Mark


class PoolTestCase(TransactionTestCase):
    size = 100

    def setUp(self):
        Worker.objects.register("w", 3600, hostname="test", pid=0)
        self.owner = Ownership("w")
        self.interrupted = []
        self.told = []
        signals.worker_failed.connect(self.hear)
        self.addCleanup(signals.worker_failed.disconnect, self.hear)
        self.pool = AsyncPool("default", self.size, 16, lambda: None, lambda: self.interrupted.append(1))
        self.addCleanup(self.stop)

    def hear(self, *, error, **_facts):
        self.told.append(error)

    def stop(self):
        self.pool.stop()
        eventually(lambda: not threads_of_the_pool(), "the pool's threads have ended")
        connections.close_all()

    def take(self, *handles):
        """Claim these workflows and let the pool run them."""
        found = Workflow.objects.claim("w", "default", 1000, names=registry.workflows.names(), is_async=True)
        self.assertEqual(len(handles) or len(found), len(found))
        self.pool.take(found, self.owner)

    def run_all(self, *handles):
        self.take(*handles)
        eventually(lambda: not self.pool.busy, "the pool is idle")


def threads_of_the_pool():
    names = ("durable-async", "durable-database")
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(names)]


class AnAsyncPool(PoolTestCase):
    def test_makes_nothing_before_it_is_needed(self):
        """A project without async workflows has no event loop and no threads for it."""
        self.pool.take([], self.owner)

        self.assertEqual([], threads_of_the_pool())

    def test_runs_workflows_to_their_end(self):
        """And holds them meanwhile."""
        handle = looping.mixes_steps.start("a")

        self.run_all(handle)

        self.assertEqual(["a-1", "a-2", "a-3", "a-4"], handle.result())
        self.assertEqual((set(), {}, self.size), (self.owner.held, self.owner.boards, self.pool.free))

    def test_runs_a_hundred_at_the_same_time(self):
        """A hundred that each wait a fifth of a second need far less than twenty seconds."""
        handles = nap_in_step.start_many([(0.2,)] * 100)
        began = time.monotonic()

        self.run_all(*handles)

        seconds = time.monotonic() - began
        self.assertEqual(["slept"] * 100, [handle.result() for handle in handles])
        self.assertLess(seconds, 10)

    def test_counts_what_it_holds(self):
        """A slot for each, free again at its end."""
        with acting(lambda: anap("a", 0.2)):
            acts_in_async.start()
            acts_in_async.start()
            self.take()
            held = (self.pool.busy, self.pool.free)
            eventually(lambda: not self.pool.busy, "both ended")

        self.assertEqual(((2, 98), 100), (held, self.pool.free))

    def test_uses_a_bounded_number_of_threads(self):
        """However many workflows ask the database at the same time."""
        looping.writes_a_lot.start_many([(3,)] * 60)
        most = []
        with acting(None):
            self.take()
            while self.pool.busy:
                most.append(len(threads_of_the_pool()))
                time.sleep(0.005)

        self.assertEqual(180, len(labels()))
        self.assertLessEqual(max(most), 16 + 1)

    def test_gives_each_a_context_of_its_own(self):
        """Forty workflows side by side: none sees another's id or variables, before and behind every await."""
        seen = {}

        async def look():
            me = looping.current_workflow().id
            found = [looping.VARIABLE.get()]
            looping.VARIABLE.set(me)
            for _ in range(5):
                await asyncio.sleep(0.001)
                found.append(looping.VARIABLE.get())
                await anap("a", 0.001)
                found.append(looping.current_workflow().id)
            seen[me] = found

        with acting(look):
            handles = acts_in_async.start_many([()] * 40)
            self.run_all(*handles)

        for handle in handles:
            self.assertEqual(["unset", *[handle.id] * 10], seen[handle.id])


class CodeBetweenTheSteps(PoolTestCase):
    """What an async workflow itself asks the database through Django's async ORM."""

    size = 40

    def test_is_asked_in_the_same_threads(self):
        """No other thread, hence no further connection, however many workflows ask; none keeps a thread between."""
        names = []

        async def ask():
            for _ in range(3):
                names.append(await sync_to_async(where)())
                await anap("a", 0.001)

        with acting(ask):
            self.run_all(*acts_in_async.start_many([()] * 40))

        self.assertEqual(120, len(names))
        self.assertEqual(set(), {name for name in names if not name.startswith("durable-database")})

    def test_finds_a_connection_that_works(self):
        """One that broke is not kept for all that come later."""

        def break_connection():
            connection.ensure_connection()
            connection.connection.close()

        async def ask():
            await sync_to_async(break_connection)()
            return await Mark.objects.acount()

        handle = acts_in_async.start()
        with acting(ask):
            self.run_all(handle)

        self.assertEqual(("succeeded", 1), (row(handle).status, row(handle).attempt))


class TasksThatAreLeftBehind(PoolTestCase):
    def setUp(self):
        super().setUp()
        self.ended = []

    def leave_behind(self, name):
        """Begin a task that would go on for ever. Return it, since the event loop alone would not keep it."""

        async def stay():
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.append(name)

        return asyncio.create_task(stay())

    def test_by_the_code_of_a_workflow_end_with_the_attempt(self):
        """When it is suspended, and when it ends: each replay would make one more."""
        kept = []

        async def wait():
            kept.append(self.leave_behind("code"))
            return await durable.areceive("a", None)

        with acting(wait):
            handle = acts_in_async.start()
            self.run_all(handle)
            eventually(lambda: self.ended == ["code"], "the first one has ended")
            durable.send(handle.id, "came", "a")
            self.run_all(handle)
            eventually(lambda: self.ended == ["code", "code"], "the second one has ended")

        self.assertEqual("came", handle.refresh().result())

    def test_by_a_step_go_on(self):
        """As those of a client that the process keeps."""
        kept = []

        async def begin():
            kept.append(self.leave_behind("step"))

        with acting(begin):
            handle = acts_in_async_step.start()
            self.run_all(handle)
        time.sleep(0.05)

        self.assertEqual([], self.ended)
        kept[0].get_loop().call_soon_threadsafe(kept[0].cancel)
        eventually(lambda: self.ended == ["step"], "it was cancelled by the test")


def where():
    return threading.current_thread().name


class WhatAWorkflowRaises(PoolTestCase):
    """Ends that workflow, and neither the event loop nor its neighbours."""

    def assert_goes_on(self):
        handle = nap_in_step.start(0)
        self.run_all(handle)
        self.assertEqual(("slept", self.size), (handle.result(), self.pool.free))

    def test_may_be_system_exit(self):
        """In its code, in a step, and in a task of its own, out of which it comes through the loop."""

        async def leave():
            raise SystemExit(3)

        async def leave_in_task():
            await asyncio.create_task(leave())

        for definition in (acts_in_async, acts_in_async_step):
            for act in (leave, leave_in_task):
                with self.subTest(definition=definition.name, act=act.__name__), acting(act):
                    handle = definition.start()
                    self.run_all(handle)
                    with self.assertRaisesMessage(Exception, "SystemExit"):
                        handle.refresh().result()
                    self.assert_goes_on()

    def test_may_be_ctrl_c(self):
        """It is told to the worker, and the workflow given back."""

        async def press():
            raise KeyboardInterrupt

        for definition in (acts_in_async, acts_in_async_step):
            with self.subTest(definition=definition.name), acting(press):
                handle = definition.start()
                self.run_all(handle)
                self.assertEqual(("queued", 1), (row(handle).status, row(handle).recoveries))
                self.assertEqual([1], self.interrupted)
                self.interrupted.clear()
                Workflow._base_manager.all().delete()
                self.assert_goes_on()

    def test_may_be_nothing_at_all(self):
        """No task is left pending, and none told of that nobody awaited."""
        handle = acts_in_async.start()
        with acting(partial(asyncio.sleep, 0)):
            self.run_all(handle)

        self.assertEqual((None, []), (handle.result(), self.told))


class AnInterruption(PoolTestCase):
    def interrupt(self, handle, act):
        """Do something while a step of the workflow awaits for long. Return the seconds until it let go."""
        with acting(lambda: asyncio.sleep(60)):
            self.take()
            eventually(lambda: "before" in labels() and handle.id in self.owner.boards, "it is in its step")
            time.sleep(0.05)
            began = time.monotonic()
            act()
            eventually(lambda: not self.pool.busy, "it let go")
        self.assertEqual([], self.told)
        return time.monotonic() - began

    def test_of_a_cancelled_workflow_comes_in_the_middle_of_a_step(self):
        """It lets go at once, and the step is not recorded."""
        handle = acts_in_async_step.start()

        def cancel():
            Workflow.objects.get(pk=handle.id).cancel("enough")
            stopping.interrupt_stopped(self.owner, "default")

        seconds = self.interrupt(handle, cancel)

        self.assertLess(seconds, 5)
        self.assertEqual(("cancelled", None, ["amark"]), (row(handle).status, row(handle).worker, steps(handle)))

    def test_of_a_paused_workflow_lets_its_step_run_again(self):
        """After the resume, as after a crash."""
        handle = acts_in_async_step.start()

        def pause():
            Workflow.objects.get(pk=handle.id).pause()
            stopping.interrupt_stopped(self.owner, "default")

        self.interrupt(handle, pause)
        row(handle).resume()
        with acting(lambda: "second time"):
            self.run_all(handle)

        self.assertEqual("second time", handle.refresh().result())

    def test_of_a_lost_lease_leaves_the_row_to_others(self):
        """Nothing more is written; whoever recovers it goes on."""
        handle = acts_in_async_step.start()

        def lose():
            self.owner.lose()
            stopping.interrupt_lost(self.owner)

        self.interrupt(handle, lose)

        self.assertEqual(("running", ["amark"]), (row(handle).status, steps(handle)))
        self.assertTrue(self.owner.has_strays.is_set())

    def test_does_not_reach_what_others_do(self):
        """A neighbour goes on."""
        handle = acts_in_async_step.start()
        neighbour = nap_in_step.start(0.5)

        def end():
            self.owner.boards[handle.id].end_soon(LetGo())

        self.interrupt(handle, end)

        self.assertEqual("slept", neighbour.result())

    def test_of_what_has_ended_is_none(self):
        """A board that is closed, or whose loop has ended, takes no notice."""
        boards = []
        with acting(lambda: boards.append(self.owner.boards[handle.id])):
            handle = acts_in_async.start()
            self.run_all(handle)
        boards[0].end_soon(LeaseLost())
        self.assertEqual((None, []), (handle.result(), self.told))
        self.stop()

        boards[0].end_soon(LeaseLost())


class AChildThatEndsMeanwhile(PoolTestCase):
    def test_is_noticed_while_others_are_busy(self):
        """The workflow need not be suspended for that: its answer is looked for, and taken."""
        with acting(branches(partial(child, 3), partial(anap, "busy", 1.5))):
            handle = looping.agathers_differently.start()
            self.take()
            eventually(Workflow.objects.filter(parent=handle.id).exists, "the child was started")
            run_until_idle()
            eventually(lambda: "result" in steps(handle), "the result was recorded")
            meanwhile = row(handle).status
            eventually(lambda: not self.pool.busy, "it ended")

        self.assertEqual(("running", [6, "busy"], 1), (meanwhile, handle.refresh().result(), row(handle).attempt))

    def test_is_noticed_when_nothing_else_is(self):
        """Right before the suspension."""
        with acting(branches(partial(child, 3), lambda: asyncio.sleep(0.4))):
            handle = looping.agathers_differently.start()
            self.take()
            eventually(Workflow.objects.filter(parent=handle.id).exists, "the child was started")
            run_until_idle()
            eventually(lambda: not self.pool.busy, "it ended")

        self.assertEqual([6, None], handle.refresh().result())


class ASynchronousStep(PoolTestCase):
    def test_in_flight_is_recorded_though_the_workflow_was_cancelled(self):
        """A thread cannot be interrupted: its outcome is not forgotten, and nobody may go on beside it."""
        going, begun = threading.Event(), threading.Event()

        def hold():
            begun.set()
            going.wait(30)

        with acting(hold):
            handle = looping.acts_in_thread.start()
            self.take()
            begun.wait(30)
            Workflow.objects.get(pk=handle.id).cancel("enough")
            stopping.interrupt_stopped(self.owner, "default")
            time.sleep(0.1)
            meanwhile = row(handle).worker
            going.set()
            eventually(lambda: not self.pool.busy, "it let go")

        self.assertEqual(("w", None), (meanwhile, row(handle).worker))
        self.assertEqual(["amark", "act_in_thread"], steps(handle))

    def test_waits_for_a_thread_beyond_its_timeout(self):
        """The time that a step waits for its turn is not its own."""
        self.pool.stop()
        eventually(lambda: not threads_of_the_pool(), "the pool's threads have ended")
        self.pool = AsyncPool("default", self.size, 3, lambda: None, lambda: None)
        handles = looping.in_thread_in_time.start_many([(0.15,)] * 6)

        self.run_all(*handles)

        self.assertEqual(["in time"] * 6, [handle.result() for handle in handles])
