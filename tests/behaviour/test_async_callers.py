"""Async code outside of workflows: views, scripts and tests use the twins with the prefix a."""

import asyncio
import threading
import time

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.db import connections
from django.http import JsonResponse
from django.test import AsyncClient, TestCase, TransactionTestCase, override_settings
from django.urls import path

import durable_django as durable
from durable_django import InsideTransaction, ResultTimeout
from durable_django.models import Message, Worker, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import (
    LIMIT_SECONDS,
    acting,
    elsewhere,
    eventually,
    labels,
    presence_ends,
    row,
    statements,
)
from tests.sample import looping
from tests.sample.branching import (
    calls_a_child,
    child,
    gathers_children,
    patient_child,
    starts_and_waits,
    waiting_child,
)
from tests.sample.looping import acts_in_async, amark, nap_in_step
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_itself


async def start_view(_request):
    handle = await child.astart(4)
    several = await child.astart_many([(5,), (6,)])
    await durable.asend((await waiting_child.using(id="mailbox").astart()).id, "sent")
    return JsonResponse(
        {"status": handle.workflow.status if False else (await handle.arefresh()).status, "count": len(several)}
    )


async def call_view(_request):
    return JsonResponse({"async": await looping.async_child(4), "sync": await child.acall(4)})


async def wait_view(_request, workflow_id):
    handle = await durable.aget_handle(workflow_id)
    return JsonResponse({"result": await handle.aresult(timeout=5), "events": await durable.aget_events(workflow_id)})


urlpatterns = [path("start", start_view), path("call", call_view), path("wait/<str:workflow_id>", wait_view)]


@override_settings(ROOT_URLCONF="tests.behaviour.test_async_callers")
class AnAsyncView(TestCase):
    async def get(self, address):
        return (await AsyncClient().get(address)).json()

    async def test_starts_and_sends(self):
        """On the connection of the test, in whose transaction all of it stands."""
        found = await self.get("/start")

        self.assertEqual({"status": "queued", "count": 2}, found)
        self.assertEqual((4, 1), (await Workflow.objects.acount(), await Message.objects.acount()))

    async def test_calls(self):
        """Workflows of both kinds, run here and now."""
        self.assertEqual({"async": 8, "sync": 8}, await self.get("/call"))

    def test_finds_each_twin_to_be_async(self):
        """So that async_to_sync(), and others that ask, know what to await."""
        twins = [name for name in durable.__all__ if name[:1] == "a" and name[1:] in durable.__all__]
        methods = {
            durable.WorkflowDefinition: ("astart", "astart_many", "acall"),
            durable.WorkflowHandle: ("arefresh", "aresult"),
            durable.StepDefinition: ("acall",),
        }
        functions = [getattr(durable, name) for name in twins if name != "aread_stream"]
        functions += [getattr(kind, name) for kind, names in methods.items() for name in names]

        self.assertGreater(len(twins), 15)
        self.assertEqual([], [each.__qualname__ for each in functions if not iscoroutinefunction(each)])

    def test_may_leave_the_twins_to_async_to_sync(self):
        """Which warns of functions that are not async."""
        handle = waiting_child.start()

        async_to_sync(durable.asend)(handle.id, "sent")
        async_to_sync(handle.arefresh)()

        self.assertEqual(1, Message.objects.count())

    async def test_waits_for_what_has_ended(self):
        """And reads its events."""
        handle = await child.astart(4)
        await sync_to_async(run_until_idle)()

        self.assertEqual({"result": 8, "events": {}}, await self.get(f"/wait/{handle.id}"))


class UnderATestCase(TestCase):
    """Everything an async test does stands in the transaction of the test."""

    async def test_a_wait_that_never_ends_is_refused(self):
        """As in other tests: the error names run_until_idle()."""
        handle = await child.astart(4)
        waits = (
            handle.aresult,
            lambda: durable.await_first([handle]),
            lambda: durable.await_all([handle]),
            lambda: durable.aget_event(handle.id, "a"),
        )
        for wait in waits:
            with self.subTest(), self.assertRaisesMessage(InsideTransaction, "run_until_idle()"):
                await wait()

    async def test_what_has_ended_is_waited_for(self):
        """By every verb that waits."""
        handle = await child.astart(4)
        await sync_to_async(run_until_idle)()

        first = await durable.await_first([handle])
        await durable.await_all([handle])
        await durable.await_all([])

        self.assertEqual((8, handle.id), (await handle.aresult(), first.id))

    async def test_an_async_workflow_is_called_in_the_test(self):
        """Its steps run in the loop of the test, and are rolled back with it."""
        self.assertEqual(["a-1", "a-2", "a-3", "a-4"], await looping.mixes_steps("a"))
        self.assertEqual(4, await sync_to_async(lambda: len(labels()))())

    def test_an_async_workflow_is_called_by_async_to_sync(self):
        """Definitions of async functions are known as such."""
        self.assertTrue(iscoroutinefunction(looping.mixes_steps))
        self.assertTrue(iscoroutinefunction(amark))
        self.assertFalse(iscoroutinefunction(child))
        self.assertFalse(iscoroutinefunction(acts))

        self.assertEqual(["a-1", "a-2", "a-3", "a-4"], async_to_sync(looping.mixes_steps)("a"))


class APlainCall(TransactionTestCase):
    def setUp(self):
        block = presence_ends()
        block.__enter__()
        self.addCleanup(block.__exit__, None, None, None)

    def test_runs_its_children_too(self):
        """No worker need be there: called ones, started ones, many, and nested ones."""
        self.assertEqual(9, calls_a_child(4))
        self.assertEqual([2, 4, 6], starts_and_waits(1, 2, 3))
        self.assertEqual([2, 4, 6], gathers_children(1, 2, 3))

    def test_waits_through_the_sleep_of_a_child(self):
        """The thread blocks until it is due, and runs it."""
        with acting(lambda: None):
            self.assertEqual("slept", patient_child(1.2, "slept"))

    def test_leaves_children_to_a_worker_that_has_them(self):
        """A child that somebody else runs is only waited for."""
        Worker.objects.register("other", 3600, hostname="test", pid=0)

        def take_away():
            Workflow.objects.filter(parent__isnull=False).update(status="running", worker="other", attempt=1)

        def end():
            eventually(Workflow.objects.filter(worker="other").exists, "the child was taken away")
            Workflow.objects.get(worker="other").succeed("7")

        def body():
            handle = child.start(4)
            durable.run_step(take_away)
            return handle.result()

        thread = threading.Thread(target=elsewhere, args=[end])
        thread.start()
        with acting(body):
            value = acts_itself()
        thread.join(30)

        self.assertEqual(7, value)

    def test_asks_little_while_many_children_wait(self):
        """One query for each level of the tree and look, not one for each child."""
        with presence_ends():
            parent = waiting_child.start()
            waiting_child.start_many([()] * 50)
            Workflow.objects.exclude(pk=parent.id).update(parent_id=parent.id, status="waiting")
            with statements() as seen:
                found = Workflow.objects.claim_descendant(parent.id, "w", names=["sample.waiting_child"])

        self.assertEqual(([], 2), (found, len(seen)))

    def test_leaves_alone_what_its_code_does_not_know(self):
        """A grandchild of another deployment is not run, and not paused for that."""
        parent = waiting_child.start()
        other = child.start(4)
        Workflow.objects.filter(pk=other.id).update(parent_id=parent.id, name="elsewhere.unknown")

        found = Workflow.objects.claim_descendant(parent.id, "w", names=["sample.child"])

        self.assertEqual(([], "queued"), (found, row(other).status))

    def test_of_an_async_workflow_that_is_cancelled_is_interrupted(self):
        """In the middle of a step, and of a wait beside the engine: nobody waits for its end."""

        naps = threading.Event()

        async def nap():
            try:
                naps.set()
                await asyncio.sleep(LIMIT_SECONDS)
            finally:
                await Mark.objects.acreate(label="interrupted")

        def cancel():
            eventually(naps.is_set, "the workflow naps")
            Workflow.objects.filter(name=workflow.name).cancel("enough")

        for workflow in (looping.acts_in_async_step, acts_in_async):
            Workflow._base_manager.all().delete()
            Mark.objects.all().delete()
            naps.clear()
            thread = threading.Thread(target=elsewhere, args=[cancel])
            thread.start()
            began = time.monotonic()
            with self.subTest(workflow=workflow), acting(nap), self.assertRaises(durable.WorkflowCancelled):
                async_to_sync(workflow)()
            thread.join(LIMIT_SECONDS)

            self.assertLess(time.monotonic() - began, LIMIT_SECONDS / 2)
            self.assertEqual(["before", "interrupted"], labels())

    async def test_of_an_async_workflow_runs_in_the_callers_loop(self):
        """Beside whatever else goes on there."""
        loops = []

        async def note_loop():
            loops.append(asyncio.get_running_loop())

        with acting(note_loop):
            await asyncio.gather(acts_in_async(), acts_in_async.acall())

        self.assertEqual({asyncio.get_running_loop()}, set(loops))

    async def test_that_is_given_up_is_put_back(self):
        """A client that has gone away cancels the view: the workflow is no failure, somebody else goes on with it."""

        async def call():
            await nap_in_step.using(id="given-up")(60)

        task = asyncio.ensure_future(call())
        await until(Workflow.objects.running().aexists)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        self.assertTrue(task.cancelled())
        await until(Workflow.objects.queued().aexists)
        found = await Workflow.objects.aget(pk="given-up")
        self.assertEqual(("queued", None, 0), (found.status, found.worker, found.recoveries))

    def test_of_an_async_workflow_that_presses_ctrl_c_gives_it_back(self):
        """As any plain call."""

        def press():
            raise KeyboardInterrupt

        with acting(press), self.assertRaises(KeyboardInterrupt):
            async_to_sync(acts_in_async)()

        self.assertEqual(["queued"], [each.status for each in Workflow.objects.all()])


async def until(condition):
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await condition():  # noqa: ASYNC110 - others make it true
            await asyncio.sleep(0.01)


class ManyThatWait(TransactionTestCase):
    async def test_hold_no_thread(self):
        """A hundred coroutines wait for a hundred workflows; the thread for synchronous code is free for others."""
        handles = await child.astart_many([(number,) for number in range(100)])
        waits = [asyncio.ensure_future(handle.aresult(timeout=60)) for handle in handles]
        waits.append(asyncio.ensure_future(durable.await_all(handles, timeout=60)))
        await asyncio.sleep(0.1)
        threads = threading.active_count()
        await sync_to_async(lambda: elsewhere(run_until_idle))()
        *found, _all = await asyncio.gather(*waits)

        self.assertEqual([number * 2 for number in range(100)], found)
        self.assertLess(threads, 12)

    async def test_give_up_in_time(self):
        """ResultTimeout, EventTimeout."""
        handle = await child.astart(4)

        with self.assertRaises(ResultTimeout):
            await handle.aresult(timeout=0.05)
        with self.assertRaises(ResultTimeout):
            await durable.await_first([handle], timeout=0.05)
        with self.assertRaises(durable.EventTimeout):
            await durable.aget_event(handle.id, "never", timeout=0.05)
        self.assertEqual("default", await durable.aget_event(handle.id, "never", timeout=0, default="default"))
        await sync_to_async(connections.close_all)()
