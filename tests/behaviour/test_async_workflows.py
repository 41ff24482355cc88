"""Async workflows and steps: recorded, replayed and interrupted as others are, only awaited."""

import asyncio
from datetime import timedelta

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import (
    BrokenTransaction,
    NotReplayable,
    StepTimeout,
    current_step,
    current_workflow,
    step,
    workflow,
)
from durable_django.models import Workflow
from durable_django.testing import crash_after, crash_before, run_until_idle, travel
from tests.behaviour.support import acting, labels, row, steps, waiting
from tests.sample import looping
from tests.sample.branching import mark, mark_atomically
from tests.sample.looping import acts_in_async, acts_in_async_step, amark, amark_atomically
from tests.sample.models import Mark, Unique
from tests.sample.promises import acts, acts_itself


class AnAsyncWorkflow(TestCase):
    def test_records_steps_of_every_kind(self):
        """Async and not, plain and atomic: each once, in order."""
        handle = waiting(looping.mixes_steps, "a")

        self.assertEqual(["a-1", "a-2", "a-3", "a-4"], handle.result())
        self.assertEqual(["amark", "amark_atomically", "mark", "mark_atomically"], steps(handle))
        self.assertTrue(row(handle).is_async)

    def test_is_replayed_behind_its_last_step(self):
        """Whichever step the worker dies behind, each takes effect once."""
        for dying in (amark, amark_atomically, mark, mark_atomically):
            with crash_after(dying):
                handle = waiting(looping.mixes_steps, dying.name)
            run_until_idle()
            with self.subTest(dying=dying.name):
                names = [f"{dying.name}-{number}" for number in (1, 2, 3, 4)]
                self.assertEqual((names, names), (handle.refresh().result(), labels()))
            Mark.objects.all().delete()

    def test_sleeps_without_a_thread(self):
        """It suspends, and wakes at the recorded moment."""
        with acting(lambda: durable.asleep(100)):
            handle = waiting(acts_in_async)
            suspended = (row(handle).status, row(handle).worker, row(handle).waiting_for)
            with travel(seconds=101):
                run_until_idle()

        self.assertEqual(("waiting", None, "time"), suspended)
        self.assertEqual((2, ["before", "after"]), (row(handle).attempt, labels()))

    def test_waits_as_others_do(self):
        """For messages, events, and ends."""
        waits = {
            "message:a": lambda: durable.areceive("a", None),
            "event:x:a": lambda: durable.aget_event("x", "a", None),
            "child:x": lambda: durable.WorkflowHandle("x").aresult(),
        }
        looping.nap_in_step.using(id="x", delay=1000).start(0)
        for text, wait in waits.items():
            with self.subTest(text=text), acting(wait):
                self.assertEqual(text, row(waiting(acts_in_async)).waiting_for)

    def test_has_children_of_both_kinds(self):
        """Called, started, started many of, waited for one by one, for the first and for all."""
        handle = waiting(looping.async_parent, 1)

        first = handle.result()[-1]
        self.assertEqual([8, 10, 2, 4, 6], handle.result()[:-1])
        self.assertIn(first, (4, 6))

    def test_may_be_a_child(self):
        """Of a workflow that is not async, without more ado."""
        with acting(lambda: looping.async_child(4)):
            handle = waiting(acts_itself)

        self.assertEqual(8, handle.result())

    def test_talks(self):
        """Messages, events and streams: every twin, recorded."""

        async def talk():
            me = current_workflow().id
            await durable.asend(me, "to myself")
            await durable.aset_event("state", "half")
            await durable.awrite_stream("log", 1, 2)
            await durable.aclose_stream("log")
            await durable.asleep_until(await durable.anow() + timedelta(seconds=-1))
            return [await durable.areceive(), await durable.aget_event(me, "state"), await durable.aget_events(me)]

        with acting(talk), crash_after(amark, times=1):
            handle = waiting(acts_in_async)
            run_until_idle()

        self.assertEqual(["to myself", "half", {"state": "half"}], handle.result())
        self.assertEqual([1, 2], list(durable.read_stream(handle.id, "log")))

    def test_that_does_not_fit_its_history_is_paused(self):
        """As any other: the reason names both steps."""
        with acting(lambda: durable.areceive("a", None)):
            handle = waiting(acts_in_async)
        durable.send(handle.id, None, "a")
        with acting(lambda: amark("instead")):
            run_until_idle()

        self.assertEqual("paused", row(handle).status)
        self.assertIn("recorded as 'receive a' but the code now calls 'amark'", row(handle).reason)
        self.assertTrue(issubclass(NotReplayable, Exception))

    def test_may_be_given_up_for_another_kind(self):
        """What was started as async runs as it is declared now."""
        handle = looping.nap_in_step.start(0)
        Workflow.objects.filter(pk=handle.id).update(is_async=False)
        other = looping.async_child.start(4)
        Workflow.objects.filter(pk=other.id).update(name="sample.child")
        run_until_idle()

        self.assertEqual(("slept", 8), (handle.result(), other.result()))

    def test_does_not_let_its_variables_leak(self):
        """What one sets in its context another one does not see, nor does its own replay."""
        seen = []

        async def look():
            seen.append(looping.VARIABLE.get())
            looping.VARIABLE.set("set")

        with acting(look):
            for _ in range(3):
                waiting(acts_in_async)

        self.assertEqual(["unset"] * 3, seen)


class AnAsyncStep(TestCase):
    def test_knows_itself(self):
        """current_step() and current_workflow(), before and behind every await."""

        async def look():
            before = (current_step().name, current_step().position, current_workflow().id)
            await asyncio.sleep(0)
            await sync_to_async(labels)()
            return [before, (current_step().name, current_step().position, current_workflow().id)]

        with acting(look):
            handle = waiting(acts_in_async_step)

        self.assertEqual([("aact", 2, handle.id)] * 2, handle.result())

    def test_in_a_workflow_that_is_not_just_works(self):
        """Plain and atomic: called without await."""
        handle = waiting(looping.mixes_steps_in_sync, "a")

        self.assertEqual(["a-1", "a-2", "a-3"], handle.result())

    def test_may_be_called_in_line(self):
        """arun_step(): what is async and what is not, plain and atomic; the place is taken at the call."""

        async def greet(name):
            return f"hello {name}"

        async def body():
            late = durable.arun_step(str.upper, "a", name="shout")
            early = durable.arun_step(greet, "b")
            label = await durable.arun_step(Mark.objects.create, label="row", name="row", atomic=True)
            return [await early, await late, label.label]

        with acting(body), crash_after(looping.amark, times=2):
            handle = waiting(looping.acts_in_async)
            run_until_idle()
            run_until_idle()

        self.assertEqual(["hello b", "A", "row"], handle.result())
        names = [name.rpartition(".")[2] for name in steps(handle)]
        self.assertEqual(["amark", "shout", "greet", "row", "amark"], names)
        self.assertEqual(1, Mark.objects.filter(label="row").count())

    def test_in_line_elsewhere_is_an_ordinary_call(self):
        """Outside of workflows, in another step, and in a workflow that is not async."""

        async def call():
            return await durable.arun_step(str.upper, "a")

        with acting(call):
            in_step = waiting(acts_in_async_step)
        with acting(lambda: async_to_sync(call)()):
            in_sync_step = waiting(acts)

        self.assertEqual(["A"] * 3, [async_to_sync(call)(), in_step.result(), in_sync_step.result()])
        self.assertEqual(["amark", "aact", "amark"], steps(in_step))

    def test_asks_the_database_as_django_does(self):
        """The async ORM and sync_to_async(), on one connection, so that a transaction holds together."""

        async def ask():
            @sync_to_async
            def in_block():
                with transaction.atomic():
                    Mark.objects.create(label="in a block")
                    return Mark.objects.count()

            await Mark.objects.acreate(label="by the async ORM")
            ids = [await sync_to_async(lambda: id(connection.connection))() for _ in range(3)]
            return [await in_block(), len(set(ids)), [each.label async for each in Mark.objects.order_by("pk")]]

        with acting(ask):
            handle = waiting(acts_in_async_step)

        self.assertEqual([3, 1, ["before", "by the async ORM", "in a block"]], handle.result())

    def test_is_retried(self):
        """Short pauses in the event loop, long ones by suspension; counted as ever."""
        for retried in (looping.anapping, looping.asuspending):
            with acting(lambda retried=retried: retried("a")):
                handle = waiting(acts_in_async)
                with travel(seconds=11):
                    run_until_idle()
            with self.subTest(step=retried.name):
                self.assertEqual("a", handle.refresh().result())
                self.assertEqual(["before", "a-1", "a-2", "after"], labels())
            Mark.objects.all().delete()

    def test_that_takes_too_long_is_cancelled(self):
        """Its timeout is its outcome; its own clean-up runs."""
        with acting(lambda: looping.atoo_long("a")):
            handle = waiting(acts_in_async)

        with self.assertRaises(StepTimeout):
            handle.result()
        self.assertEqual(["before", "a-cleaned-up"], labels())

    def test_that_takes_too_long_in_a_workflow_that_is_not_is_cancelled(self):
        """The same there."""
        with acting(lambda: looping.atoo_long("a")):
            handle = waiting(acts_itself)

        with self.assertRaises(StepTimeout):
            handle.result()
        self.assertIn("a-cleaned-up", labels())

    def test_that_swallows_its_cancellation_is_late_all_the_same(self):
        """What it returns after its timeout is not taken for a result."""
        handle = waiting(swallows_its_timeout)

        with self.assertRaises(StepTimeout):
            handle.result()

    def test_whose_result_cannot_be_stored_fails(self):
        """As any other."""
        with acting(lambda: object()):
            handle = waiting(acts_in_async_step)

        with self.assertRaises(durable.NotSerializable):
            handle.result()


@step(timeout=0.02)
async def swallow_timeout():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return "late"


@workflow
async def swallows_its_timeout():
    return await swallow_timeout()


class AnAsyncAtomicStep(TransactionTestCase):
    def test_takes_effect_once(self):
        """Effect and checkpoint are one transaction, whenever the worker dies."""
        for block in (
            crash_before(amark_atomically),
            crash_after(amark_atomically, recorded=False),
            crash_after(amark_atomically),
        ):
            with block:
                handle = waiting(looping.mixes_steps, "a")
            run_until_idle()
            self.assertEqual((["a-1", "a-2", "a-3", "a-4"], 2), (labels(), row(handle).attempt))
            Mark.objects.all().delete()

    def test_is_rolled_back_whole_when_it_fails(self):
        """What it has written is gone, and the error recorded."""

        async def fail():
            await Mark.objects.acreate(label="gone")
            raise LookupError("no")

        with acting(fail):
            handle = waiting(looping.mixes_steps, "a")

        with self.assertRaisesMessage(LookupError, "no"):
            handle.result()
        self.assertEqual(["a-1"], labels())

    def test_that_swallows_an_error_of_the_database_fails(self):
        """Never recorded but not done."""

        async def swallow():
            await Unique.objects.acreate(label="a")
            try:
                await Unique.objects.acreate(label="a")
            except Exception:
                await Mark.objects.acreate(label="swallowed") if connection.vendor == "sqlite" else None

        with acting(swallow):
            handle = waiting(looping.mixes_steps, "a")

        with self.assertRaises(BrokenTransaction):
            handle.result()
        self.assertEqual((["a-1"], 0), (labels(), Unique.objects.count()))

    def test_starts_and_sends_in_its_transaction(self):
        """A rollback leaves no child and no message."""

        async def start_and_fail():
            await looping.async_child.astart(1)
            await durable.asend(current_workflow().id, "x")
            raise LookupError("no")

        with acting(start_and_fail):
            handle = waiting(looping.mixes_steps, "a")

        self.assertEqual((1, 0), (Workflow.objects.count(), row(handle).messages.count()))
