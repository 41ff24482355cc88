"""What a workflow reads of other workflows, without waiting: recorded, so that a replay sees what the code has seen."""

from functools import partial

from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import TestCase

import durable_django as durable
from durable_django import InsideTransaction, OutsideWorkflow, WorkflowHandle, WorkflowNotFound
from durable_django.models import Event, Step
from durable_django.testing import run_until_idle
from tests.behaviour.states import workflow_in
from tests.behaviour.support import acting, row, statements, steps, waiting
from tests.sample.looping import acts_in_async
from tests.sample.promises import acts, acts_itself
from tests.sample.talking import calls, publishes


def replayed(look, change):
    """Let a workflow look, then change what it has seen and let it begin again. Return its handle, ended."""

    def body():
        seen = look()
        durable.receive(timeout=None)
        return seen

    with acting(body):
        handle = waiting(acts_itself)
        change()
        durable.send(handle.id, None)
        run_until_idle()
    return handle


def areplayed(look, change):
    """Do as replayed() in an async workflow."""

    async def body():
        seen = await look()
        await durable.areceive(timeout=None)
        return seen

    with acting(body):
        handle = waiting(acts_in_async)
        change()
        durable.send(handle.id, None)
        run_until_idle()
    return handle


class TheEventsOfAnotherWorkflow(TestCase):
    def setUp(self):
        self.publisher = waiting(publishes, "a", 1)

    def change(self):
        Event.objects.update(value="2")

    def test_are_the_same_at_every_replay(self):
        """get_events() is a step of its own."""
        handle = replayed(lambda: durable.get_events(self.publisher.id), self.change)

        self.assertEqual({"a": 1}, handle.result())
        self.assertEqual(["mark_atomically", "get_events", "receive", "mark"], steps(handle))

    def test_are_the_same_in_async_code(self):
        """aget_events(), whose place is taken at the call."""
        handle = areplayed(lambda: durable.aget_events(self.publisher.id), self.change)

        self.assertEqual({"a": 1}, handle.result())

    def test_are_what_they_are_in_a_step(self):
        """Part of the step, whose outcome is recorded anyway."""
        with acting(lambda: durable.get_events(self.publisher.id)):
            handle = waiting(acts)

        self.assertEqual({"a": 1}, handle.result())
        self.assertEqual(["mark_atomically", "act", "mark"], steps(handle))

    def test_of_nobody_are_an_error_for_good(self):
        """Also if there is such a workflow by the time of the replay."""

        def look():
            try:
                return durable.get_events("later")
            except WorkflowNotFound as error:
                return error.workflow_id

        handle = replayed(look, lambda: publishes.using(id="later").start("a"))

        self.assertEqual("later", handle.result())

    def test_are_read_by_the_twin_in_async_code(self):
        """The direct call is refused, and names it."""

        async def body():
            durable.get_events(self.publisher.id)

        with acting(body):
            handle = waiting(acts_in_async)

        with self.assertRaisesMessage(OutsideWorkflow, "await aget_events(...)"):
            handle.result()

    def test_are_not_read_in_the_workflows_own_transaction(self):
        """A rollback would undo the record."""

        def body():
            with transaction.atomic():
                durable.get_events(self.publisher.id)

        with acting(body):
            handle = waiting(acts_itself)

        with self.assertRaises(InsideTransaction):
            handle.result()

    def test_cost_one_statement_more_than_elsewhere(self):
        """The record."""
        with acting(lambda: durable.get_events(self.publisher.id)):
            handle = acts_itself.start()
            with statements() as seen:
                run_until_idle()

        self.assertEqual(1, len([sql for sql in seen if "get_events" in sql]), seen)
        self.assertEqual("succeeded", row(handle).status)


class TheStatusOfAnotherWorkflow(TestCase):
    def setUp(self):
        self.other = workflow_in("paused")

    def change(self):
        row(self.other).cancel()

    def test_is_the_same_at_every_replay(self):
        """Whether the handle is asked for it, refreshed, or made by get_handle()."""
        for look in (
            lambda: WorkflowHandle(self.other.id).status,
            lambda: WorkflowHandle(self.other.id).refresh().status,
            lambda: durable.get_handle(self.other.id).status,
        ):
            self.other = workflow_in("paused")
            handle = replayed(look, self.change)

            self.assertEqual("paused", handle.result())
            self.assertEqual(["mark_atomically", "refresh", "receive", "mark"], steps(handle))

    def test_is_the_same_in_async_code(self):
        """arefresh() and aget_handle()."""

        async def refreshed():
            return (await WorkflowHandle(self.other.id).arefresh()).status

        async def got():
            return (await durable.aget_handle(self.other.id)).status

        for look in (refreshed, got):
            self.other = workflow_in("paused")
            handle = areplayed(look, self.change)

            self.assertEqual("paused", handle.result())

    def test_is_that_of_the_last_refresh(self):
        """It is not read again before."""
        other = WorkflowHandle(self.other.id)

        def body():
            before = [other.status, other.status]
            durable.run_step(self.change, name="cancel")
            return [*before, other.status, other.refresh().status]

        with acting(body):
            handle = waiting(acts_itself)

        self.assertEqual(["paused", "paused", "paused", "cancelled"], handle.result())

    def test_is_read_anew_in_each_branch_and_attempt(self):
        """What another branch, a step or an earlier attempt has seen with the same handle is nothing to rely on."""
        other = WorkflowHandle(self.other.id)

        def branch(topic):
            seen = other.status
            durable.receive(topic, None)
            return [seen, other.status]

        def body():
            other.refresh()
            durable.run_step(lambda: other.refresh().workflow.attempt, name="look")
            return [other.status, *durable.gather(partial(branch, "a"), partial(branch, "b"))]

        with acting(body):
            handle = waiting(acts_itself)
            for topic in "ba":
                durable.send(handle.id, None, topic)
                run_until_idle()
                self.change()

        self.assertEqual(["paused", ["paused", "paused"], ["paused", "paused"]], handle.result())

    def test_of_nobody_is_an_error_for_good(self):
        """Also if there is such a workflow by the time of the replay."""

        def look():
            try:
                return durable.get_handle("later").status
            except WorkflowNotFound as error:
                return error.workflow_id

        handle = replayed(look, lambda: publishes.using(id="later").start("a"))

        self.assertEqual("later", handle.result())

    def test_is_read_by_the_twin_in_async_code(self):
        """A direct look is refused, and names it; what arefresh() has seen may be asked for."""

        async def body():
            return WorkflowHandle(self.other.id).status

        with acting(body):
            handle = waiting(acts_in_async)

        with self.assertRaisesMessage(OutsideWorkflow, "await arefresh(...)"):
            handle.result()


class TheRowOfAnotherWorkflow(TestCase):
    def test_is_not_read_by_a_workflow_itself(self):
        """A replay would see another one: the error says where to read it."""
        other = workflow_in("paused")
        with acting(lambda: calls(lambda: other.workflow, lambda: other.refresh().workflow)):
            handle = waiting(acts_itself)

        first, second = handle.result()
        self.assertEqual([OutsideWorkflow] * 2, [type(first), type(second)])
        self.assertIn("in a step", str(first))

    def test_is_read_in_a_step(self):
        """And elsewhere, as ever."""
        other = workflow_in("paused")

        async def look():
            return (await other.arefresh()).workflow.status, (await sync_to_async(lambda: other.workflow)()).status

        with acting(lambda: other.refresh().workflow.status):
            handle = waiting(acts)

        self.assertEqual("paused", handle.result())
        self.assertEqual(0, Step.objects.filter(kind="refresh").count())
