"""Events: values that a workflow publishes under keys; who waits for one gets it, or hears that it cannot come."""

import time
from datetime import timedelta
from functools import partial

from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import EventTimeout, InsideTransaction, OutsideWorkflow, WorkflowNotFound
from durable_django.models import Event, EventChange, Workflow
from durable_django.testing import crash_after, run_until_idle, travel
from tests.behaviour.states import ENDED, LIVE, workflow_in
from tests.behaviour.support import acting, elsewhere, eventually, row, steps, waiting
from tests.sample import talking
from tests.sample.promises import act, acts, acts_atomically, acts_itself
from tests.sample.talking import awaits_event, calls, publishes


def changes(handle):
    """Return the history of a workflow's events: position, key and stored value."""
    rows = EventChange.objects.filter(workflow=handle.id).order_by("id")
    return list(rows.values_list("position", "key", "value"))


class AnEvent(TestCase):
    def test_has_the_last_value(self):
        """E14: a later one replaces it; each key has its own."""
        handle = waiting(publishes, "a", 1, 2)
        with acting(lambda: [durable.set_event("b", {"x": (3,)}), durable.set_event("A", None)]):
            other = waiting(acts_itself)

        self.assertEqual({"a": 2}, durable.get_events(handle.id))
        self.assertEqual({"A": None, "b": {"x": (3,)}}, durable.get_events(other.id))
        self.assertEqual((2, None), (durable.get_event(handle.id, "a"), durable.get_event(other.id, "A")))

    def test_is_there_while_the_workflow_runs_and_after_its_end(self):
        """Whatever state it is in."""
        handle = waiting(talking.publishes_when_told, "a", 1)
        durable.send(handle.id, None)
        run_until_idle()
        live = durable.get_event(handle.id, "a")
        row(handle).cancel()

        self.assertEqual((1, 1), (live, durable.get_event(handle.id, "a")))

    def test_keeps_its_history(self):
        """A row for each value, with the position that set it: what a fork goes back to."""
        handle = waiting(publishes, "a", 1, 2)

        self.assertEqual([(1, "a", "1"), (3, "a", "2")], changes(handle))
        self.assertEqual(["set_event", "mark"] * 2, steps(handle))

    def test_is_set_once_from_a_workflow(self):
        """E12: a replay of a recorded set does not touch a newer value, nor the history."""
        with acting(lambda: [durable.set_event("a", 1), durable.set_event("a", 2), durable.sleep(60)]):
            handle = waiting(acts_itself)
            before = Event.objects.get().set_at
            with travel(seconds=61):
                run_until_idle()

        self.assertEqual(("succeeded", before), (row(handle).status, Event.objects.get().set_at))
        self.assertEqual([(2, "a", "1"), (3, "a", "2")], changes(handle))

    def test_is_set_again_by_a_plain_step_that_runs_again(self):
        """At least once; the history has one row for each key and step, with what it set last."""
        handle = acts.start()
        with acting(lambda: [durable.set_event("a", 1), durable.set_event("a", 2)]), crash_after(act, recorded=False):
            run_until_idle()
        with acting(lambda: durable.set_event("a", 3)):
            run_until_idle()

        self.assertEqual(({"a": 3}, "succeeded"), (durable.get_events(handle.id), row(handle).status))
        self.assertEqual([(2, "a", "3")], changes(handle))

    def test_of_an_atomic_step_is_part_of_its_transaction(self):
        """A body that fails has set nothing."""

        def fail():
            durable.set_event("a", 1)
            raise LookupError

        with acting(fail):
            failed = waiting(acts_atomically)
        with acting(lambda: durable.set_event("a", 2)):
            other = waiting(acts_atomically)

        self.assertEqual(({}, {"a": 2}), (durable.get_events(failed.id), durable.get_events(other.id)))

    def test_in_async_code_is_the_same(self):
        """aset_event() and aget_event() in an async workflow; aget_event() and aget_events() elsewhere."""
        handle = waiting(talking.publishes_async, "a", 5)

        self.assertEqual(5, handle.result())

        async def look():
            return await durable.aget_event(handle.id, "a", 1), await durable.aget_events(handle.id)

        self.assertEqual((5, {"a": 5}), async_to_sync(look)())

    def test_with_bad_parts_is_refused(self):
        """Keys and values, before anything is written; H13."""
        for kind, key, value in (
            (ValueError, "", 1),
            (ValueError, "x" * 256, 1),
            (ValueError, "a\nb", 1),
            (ValueError, "\0", 1),
            (TypeError, 5, 1),
            (TypeError, None, 1),
            (durable.NotSerializable, "a", lambda: 1),
        ):
            with acting(lambda key=key, value=value: durable.set_event(key, value)):
                handle = waiting(acts_itself)
            with self.subTest(key=str(key)[:20]), self.assertRaises(kind):
                handle.result()
        with self.assertRaises(TypeError):
            durable.get_event("order-7", None)

        self.assertEqual(0, Event.objects.count())

    def test_may_have_a_long_key(self):
        """255 characters, of four bytes each; it is awaited like others."""
        key = "\U0001f600" * 255
        handle = waiting(awaits_event, "\U0001f600" * 255, key)
        acts_itself.using(id="\U0001f600" * 255).start()
        with acting(lambda: durable.set_event(key, 1)), travel(seconds=2):
            run_until_idle()

        self.assertEqual(1, handle.result())


class OutsideOfAWorkflow(TestCase):
    def test_an_event_cannot_be_set(self):
        """Only a workflow and its steps publish."""
        with self.assertRaisesMessage(OutsideWorkflow, "set_event() can only be used inside a workflow"):
            durable.set_event("a", 1)

    def test_the_events_of_an_unknown_workflow_are_an_error(self):
        """And none of a known one are none."""
        handle = publishes.start("a")

        self.assertEqual({}, durable.get_events(handle.id))
        with self.assertRaises(WorkflowNotFound):
            durable.get_events("order-7")


class AWorkflowThatWaitsForAnEvent(TestCase):
    def test_is_woken_by_it(self):
        """At once; it waited for just that, without looking again and again."""
        publisher = waiting(talking.publishes_when_told, "a", 1)
        handle = waiting(awaits_event, publisher.id, "a", None)
        before = row(handle)
        durable.send(publisher.id, None)
        run_until_idle()

        self.assertEqual((f"event:{publisher.id}:a", None), (before.waiting_for, before.run_after))
        self.assertEqual((1, 2), (handle.result(), row(handle).attempt))

    def test_is_not_woken_by_another_one(self):
        """Another key of the same workflow, and the same key of another one."""
        publisher = talking.publishes_when_told.using(id="p").start("a", 1)
        other = talking.publishes_when_told.using(id="p:a").start("b", 1)
        handle = waiting(awaits_event, "p", "b", None)
        for each in (publisher, other):
            durable.send(each.id, None)
            run_until_idle()

        self.assertEqual(("waiting", 1), (row(handle).status, row(handle).attempt))

    def test_finds_one_that_is_there(self):
        """Without waiting."""
        publisher = waiting(publishes, "a", 1)
        handle = waiting(awaits_event, publisher.id, "a")

        self.assertEqual((1, 1), (handle.result(), row(handle).attempt))

    def test_finds_one_of_a_workflow_that_did_not_exist(self):
        """It looks each second until there is such a workflow; then it is woken."""
        handle = waiting(awaits_event, "later", "a", None)
        talking.publishes_when_told.using(id="later").start("a", 1)
        with travel(seconds=1.1):
            run_until_idle()
        found = row(handle)
        durable.send("later", None)
        run_until_idle()

        self.assertEqual(("waiting", None), (found.status, found.run_after))
        self.assertEqual(1, handle.result())

    def test_hears_at_once_that_it_cannot_come(self):
        """However the workflow ended, before or while it is waited for; not one that was cancelled and resumed."""
        for state in ENDED:
            handle = waiting(awaits_event, workflow_in(state).id, "a", None)
            with self.subTest(state=state), self.assertRaisesMessage(EventTimeout, "event 'a' before it ended."):
                handle.result()
        publisher = waiting(talking.publishes_when_told, "a", 1)
        handle = waiting(awaits_event, publisher.id, "a", None)
        before = row(handle).status
        row(publisher).cancel()
        run_until_idle()

        self.assertEqual(("waiting", "failed"), (before, row(handle).status))

    def test_hears_it_when_the_other_one_ends_by_itself(self):
        """Well or badly: the outcome wakes those that wait in vain."""
        for act_ in (lambda: durable.receive(timeout=None), lambda: durable.receive(timeout=None) / 0):
            with acting(act_):
                publisher = waiting(acts_itself)
                handle = waiting(awaits_event, publisher.id, "a", None)
                durable.send(publisher.id, 1)
                run_until_idle()
            with self.subTest(publisher=row(publisher).status), self.assertRaises(EventTimeout):
                handle.result()

    def test_times_out(self):
        """By the database's clock, and stays so; default= is returned instead."""
        publisher = waiting(talking.publishes_when_told, "a", 1)
        handle = waiting(awaits_event, publisher.id, "a", 60)
        with acting(lambda: durable.get_event(publisher.id, "a", timedelta(seconds=60), default="none")):
            other = waiting(acts_itself)
            with travel(seconds=61):
                run_until_idle()

        self.assertEqual("none", other.result())
        with self.assertRaisesMessage(EventTimeout, f"Workflow {publisher.id!r} did not set event 'a' within 60.0 s."):
            handle.result()

    def test_only_looks_if_it_has_no_time(self):
        """timeout=0: one attempt."""
        handle = waiting(awaits_event, workflow_in("queued").id, "a", 0)

        self.assertEqual(("failed", 1), (row(handle).status, row(handle).attempt))

    def test_sees_the_same_value_at_every_replay(self):
        """E13: the first answer is recorded; a second call sees what is there then."""
        publisher = waiting(publishes, "a", 1)
        handle = waiting(talking.awaits_event_twice, publisher.id, "a")
        Event.objects.filter(workflow=publisher.id).update(value="2")
        durable.send(handle.id, None)
        run_until_idle()

        self.assertEqual([1, 2], handle.result())

    def test_is_woken_though_it_waits_for_something_else_too(self):
        """In branches: the event comes, or cannot come any more, while the other branch waits for an hour."""
        for tell in (lambda each: durable.send(each.id, None), lambda each: row(each).cancel()):
            publisher = waiting(talking.publishes_when_told, "a", 1)
            handle = waiting(talking.awaits_several, publisher.id, "a")
            before = row(handle).waiting_for
            tell(publisher)
            with travel(seconds=1.1):
                run_until_idle()

            self.assertEqual("*", before)
            self.assertEqual(["get_event"], [name for name in steps_done(handle) if name == "get_event"])

    def test_in_a_step_is_refused_if_it_has_to_wait(self):
        """What is there can be read; a step runs to its end in one piece."""
        publisher = waiting(publishes, "a", 1)
        live = workflow_in("paused")
        with acting(lambda: calls(*(partial(durable.get_event, each.id, "a") for each in (publisher, live)))):
            handle = waiting(acts)

        value, error = handle.result()
        self.assertEqual((1, OutsideWorkflow), (value, type(error)))


def steps_done(handle):
    """Return the names of the calls that have ended."""
    return list(handle.workflow.steps.filter(finished_at__isnull=False).values_list("name", flat=True))


class AnEventThatCannotBeRead(TestCase):
    def setUp(self):
        self.publisher = waiting(publishes, "a", 1)
        Event.objects.update(value="no JSON")

    def test_pauses_a_workflow_that_reads_it(self):
        """H16: with the reason."""
        handle = waiting(awaits_event, self.publisher.id, "a")

        self.assertEqual("paused", row(handle).status)
        self.assertIn("cannot be read", row(handle).reason)

    def test_is_an_error_to_others(self):
        """UnreadablePayload, whether one is read or all."""
        for read in (lambda: durable.get_event(self.publisher.id, "a"), lambda: durable.get_events(self.publisher.id)):
            with self.assertRaises(durable.UnreadablePayload):
                read()


class SomebodyElseWhoWaitsForAnEvent(TransactionTestCase):
    def test_gets_it_when_it_comes(self):
        """From another process, thread or transaction, even of a workflow that does not exist yet."""
        found = []

        def wait():
            found.append(durable.get_event("later", "a", 30))

        def publish():
            eventually(lambda: Workflow.objects.filter(pk="later").exists(), "the workflow is there")
            elsewhere(run_until_idle)

        publishes.using(id="other").start("a", 0)
        publishes.using(id="later", delay=0).start("a", 1)
        elsewhere(lambda: (publish(), wait()))

        self.assertEqual([1], found)

    def test_gives_up_when_its_time_is_over(self):
        """With the error, or the default."""
        handle = workflow_in("queued")

        began = time.monotonic()
        with self.assertRaises(EventTimeout):
            durable.get_event(handle.id, "a", 0.05)
        self.assertIsNone(durable.get_event("nobody", "a", timedelta(seconds=0.05), default=None))

        self.assertTrue(0.1 <= time.monotonic() - began < 30)

    def test_hears_at_once_that_it_cannot_come(self):
        """The workflow has ended without it: no time is lost."""
        for state in ENDED:
            handle = workflow_in(state)
            began = time.monotonic()
            with self.subTest(state=state), self.assertRaises(EventTimeout):
                durable.get_event(handle.id, "a", timeout=60)
            self.assertLess(time.monotonic() - began, 30)

    def test_is_refused_inside_a_transaction(self):
        """E15, E16: at once, if it would have to wait; what is there can be read, and timeout=0 only looks."""
        handle = waiting(publishes, "a", 1)
        live = workflow_in(LIVE[0])
        with transaction.atomic():
            self.assertEqual(1, durable.get_event(handle.id, "a"))
            self.assertIsNone(durable.get_event(live.id, "a", timeout=0, default=None))
            with self.assertRaisesMessage(InsideTransaction, "get_event() of 'a'"):
                durable.get_event(live.id, "a", timeout=60)

    def test_is_refused_without_autocommit(self):
        """E15: a transaction by set_autocommit(False) is one."""
        live = workflow_in("queued")
        transaction.set_autocommit(False)
        try:
            with self.assertRaises(InsideTransaction):
                durable.get_event(live.id, "a", timeout=60)
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_is_refused_inside_a_workflows_own_transaction(self):
        """A rollback would undo what was recorded."""
        publisher = waiting(publishes, "a", 1)

        def body():
            with transaction.atomic():
                durable.get_event(publisher.id, "a")

        with acting(body):
            handle = waiting(acts_itself)

        with self.assertRaises(InsideTransaction):
            handle.result()

    def test_holds_no_lock(self):
        """Who waits from outside writes nothing."""
        handle = workflow_in("queued")
        queries = []
        with connection.execute_wrapper(lambda execute, sql, *rest: queries.append(sql) or execute(sql, *rest)):
            durable.get_event(handle.id, "a", 0.01, default=None)

        self.assertEqual({"SELECT"}, {sql.split()[0] for sql in queries})
