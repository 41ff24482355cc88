"""Durable calls from other threads and tasks than the workflow's own, in an order of chance, are refused."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from asgiref.sync import async_to_sync, sync_to_async
from django.test import TestCase

import durable_django as durable
from durable_django import OutsideWorkflow, current_workflow, step
from tests.behaviour.support import acting, labels, steps, waiting
from tests.sample.branching import child, mark, mark_atomically
from tests.sample.looping import acts_in_async, acts_in_async_step, amark, amark_atomically
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_itself


class CallTestCase(TestCase):
    definition = acts_itself

    def refusal_of(self, act):
        """Run a workflow whose own code does this. Return what the refusal says; nothing of it was done."""
        with acting(act):
            handle = waiting(self.definition)
        with self.assertRaises(OutsideWorkflow) as caught:
            handle.result()
        self.assertEqual(["before"], labels())
        Mark.objects.all().delete()
        return str(caught.exception)


def in_thread(act):
    """Do it in another thread, in a copy of the workflow's context. Raise what it raises."""
    errors = []

    def run():
        try:
            act()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=[run])
    thread.start()
    thread.join(30)
    for error in errors:
        raise error


@step
def square(number):
    return number * number


class InAWorkflow(CallTestCase):
    def test_a_call_from_a_thread_is_refused(self):
        """One that was given the workflow's context, as pools of threads do: the error points to gather()."""
        for call in (partial(mark, "a"), partial(durable.sleep, 60), partial(child.start, 1), durable.now):
            with self.subTest(call=call):
                self.assertIn("use gather()", self.refusal_of(lambda call=call: in_thread(call)))

    def test_a_thread_without_its_context_knows_of_no_workflow(self):
        """Verbs are refused all the same; a step is an ordinary function there, and nothing of it is recorded."""

        def in_pool(call):
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(call).result()

        with acting(lambda: in_pool(partial(square, 3))):
            handle = waiting(acts_itself)

        self.assertEqual((9, ["mark_atomically", "mark"]), (handle.result(), steps(handle)))
        Mark.objects.all().delete()
        self.assertIn("inside a workflow", self.refusal_of(lambda: in_pool(partial(durable.sleep, 60))))

    def test_a_call_from_async_code_is_refused(self):
        """Its tasks would wake in an order that no replay repeats: into one step with it."""

        async def several():
            mark("a")

        self.assertIn("Put async_to_sync() into one step", self.refusal_of(lambda: async_to_sync(several)()))

    def test_agather_is_refused(self):
        """There is no event loop."""
        self.assertIn("without the a", self.refusal_of(lambda: durable.agather(partial(mark, "a"))))

    def test_a_branch_of_a_step_is_refused(self):
        """A step runs in one piece."""
        with acting(lambda: durable.gather(partial(mark, "a"))):
            handle = waiting(acts)

        with self.assertRaises(OutsideWorkflow):
            handle.result()


class InAnAsyncWorkflow(CallTestCase):
    definition = acts_in_async

    def test_a_call_from_a_task_of_its_own_is_refused(self):
        """A coroutine of the user that calls steps in a task: the error points to gather()."""

        async def line(name):
            await amark(f"{name}-1")
            await amark(f"{name}-2")

        async def by_gather():
            await asyncio.gather(line("a"), line("b"))

        async def by_group():
            async with asyncio.TaskGroup() as group:
                group.create_task(line("a"))

        self.assertIn("use gather()", self.refusal_of(by_gather))
        with acting(by_group):
            handle = waiting(acts_in_async)
        with self.assertRaises(ExceptionGroup) as caught:
            handle.result()
        self.assertIsInstance(caught.exception.exceptions[0], OutsideWorkflow)

    def test_a_call_from_a_thread_is_refused(self):
        """Whether the event loop waits for it or not."""

        async def by_executor():
            await asyncio.to_thread(lambda: asyncio.run(call()))

        async def call():
            await amark("a")

        async def by_asgiref():
            await sync_to_async(lambda: amark("a").close())()

        for act in (by_executor, by_asgiref):
            with self.subTest(act=act.__name__):
                self.assertIn("use gather()", self.refusal_of(act))

    def test_a_direct_call_of_what_blocks_is_refused(self):
        """It would hold up the event loop: the error names what to await instead."""
        expected = {
            "await mark.acall(...)": lambda: mark("a"),
            "await child.acall(...)": lambda: child(1),
            "await child.astart(...)": lambda: child.start(1),
            "await child.astart_many(...)": lambda: child.start_many([(1,)]),
            "await anow(...)": durable.now,
            "await asend(...)": lambda: durable.send("x", 1),
            "await aset_event(...)": lambda: durable.set_event("x", 1),
            "await agather(...)": lambda: durable.gather(partial(mark, "a")),
        }
        for advice, call in expected.items():
            with self.subTest(advice=advice):
                self.assertIn(advice, self.refusal_of(call))

    def test_a_direct_call_of_a_wait_is_refused(self):
        """sleep(), receive() and result() too."""
        calls = (
            lambda: durable.sleep(60),
            lambda: durable.sleep(0.1),
            lambda: durable.receive("a"),
            lambda: durable.get_event("x", "y"),
            lambda: durable.WorkflowHandle("x").result(),
            lambda: durable.wait_first([durable.WorkflowHandle("x")]),
        )
        for number, call in enumerate(calls):
            with self.subTest(number=number):
                self.assertIn("await", self.refusal_of(call))

    def test_a_direct_call_in_a_branch_is_refused(self):
        """As in the workflow's own line."""

        async def branch():
            return mark("a")

        self.assertIn("await mark.acall(...)", self.refusal_of(lambda: durable.agather(branch)))


class InAnAsyncStep(TestCase):
    def test_a_wait_is_refused(self):
        """A step runs in one piece, async or not."""
        for wait in (
            lambda: durable.asleep(60),
            lambda: durable.areceive("a"),
            lambda: durable.agather(partial(amark, "a")),
            lambda: child.acall(1),
            lambda: durable.WorkflowHandle("x").aresult(),
        ):
            with self.subTest(), acting(wait):
                handle = waiting(acts_in_async_step)
                with self.assertRaises(OutsideWorkflow):
                    handle.result()

    def test_tasks_are_its_own_matter(self):
        """It may do several things at the same time, and start and send from any of them."""

        async def several():
            handles = await asyncio.gather(*(child.astart(number) for number in (1, 2)))
            await asyncio.gather(*(amark(f"inner-{number}") for number in (1, 2)))
            return [handle.id for handle in handles], current_workflow().id

        with acting(several):
            handle = waiting(acts_in_async_step)

        ids, own = handle.result()
        self.assertEqual((2, handle.id), (len(set(ids)), own))
        self.assertEqual(["amark", "aact", "amark"], steps(handle))


class OutsideOfWorkflows(TestCase):
    async def test_what_only_a_workflow_can_do_is_refused(self):
        """In async code as anywhere."""
        for call in (
            lambda: durable.asleep(1),
            lambda: durable.areceive("a"),
            lambda: durable.agather(partial(amark, "a")),
            lambda: durable.anow(),
            lambda: durable.aset_event("a", 1),
        ):
            with self.subTest(), self.assertRaises(OutsideWorkflow):
                await call()

    def test_gather_is_refused(self):
        """Nothing can be replayed."""
        with self.assertRaises(OutsideWorkflow):
            durable.gather(partial(mark, "a"))

    async def test_steps_are_ordinary_calls(self):
        """Also through acall(); an atomic one runs in transaction.atomic()."""
        made = [await amark("a"), await amark_atomically("b"), await mark.acall("c"), await mark_atomically.acall("d")]

        self.assertEqual(made, await sync_to_async(labels)())
