"""Workflows that others wait for are not deleted; of one that other hands delete, who waits hears all the same."""

import threading
from functools import partial

from django.db import connection
from django.db.models import ProtectedError
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import EventTimeout, WorkflowCancelled, WorkflowHandle, WorkflowNotFound
from durable_django.models import Event, EventChange, Message, Step, StreamEntry, Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import acting, elsewhere, eventually, row, statements, waiting
from tests.sample import branching
from tests.sample.branching import waiting_child
from tests.sample.looping import acts_in_async
from tests.sample.promises import acts_itself
from tests.sample.talking import calls

#: Longer than the janitor ever leaves alone what it cannot tell by its row.
LONG_SECONDS = 3700


def delete_by_hand(*ids):
    """Delete rows as other programs do."""
    for model in (Step, Message, Event, EventChange, StreamEntry):
        rows = model.objects.filter(workflow_id__in=ids)
        rows._raw_delete(rows.db)
    rows = Workflow.objects.filter(pk__in=ids)
    rows._raw_delete(rows.db)


def waits():
    """Return what may be waiting for two workflows, by what it is: a function of their ids."""
    return {
        "result()": lambda first, _second: WorkflowHandle(first).result(),
        "result() in time": lambda first, _second: WorkflowHandle(first).result(7200),
        "get_event()": lambda first, _second: durable.get_event(first, "a", None),
        "get_event() in time": lambda first, _second: durable.get_event(first, "a", 7200),
        "wait_first()": lambda *ids: durable.wait_first([WorkflowHandle(each) for each in ids]),
        "wait_all()": lambda *ids: durable.wait_all([WorkflowHandle(each) for each in ids]),
        "gather() of ends": lambda *ids: durable.gather(*(WorkflowHandle(each).result for each in ids)),
        "gather() of events": lambda *ids: durable.gather(
            *(partial(durable.get_event, each, "a", None) for each in ids)
        ),
        "gather() of events in time": lambda *ids: durable.gather(
            *(partial(durable.get_event, each, "a", 7200) for each in ids)
        ),
    }


def awaits():
    """Return the same for async workflows."""
    return {
        "aresult()": lambda first, _second: WorkflowHandle(first).aresult(),
        "aget_event()": lambda first, _second: durable.aget_event(first, "a", None),
        "await_first()": lambda *ids: durable.await_first([WorkflowHandle(each) for each in ids]),
        "agather() of ends": lambda *ids: durable.agather(*(WorkflowHandle(each).aresult for each in ids)),
        "agather() of events": lambda *ids: durable.agather(*(partial(durable.aget_event, i, "a", None) for i in ids)),
    }


def kind_of(name):
    """Return how many a wait is for: of all it watches the last one."""
    return next((kind for kind in ("gather", "all", "first") if kind in name), "one")


class SituationTestCase(TestCase):
    def waiter(self, definition, wait):
        """Return a workflow that waits for two others, and their ids."""
        ids = [waiting(waiting_child).id for _number in range(2)]

        def body():
            return calls(lambda: wait(*ids))

        async def abody():
            try:
                return [await wait(*ids)]
            except WorkflowNotFound as error:
                return [error]

        self.enterContext(acting(abody if definition is acts_in_async else body))
        handle = waiting(definition)
        self.assertEqual("waiting", row(handle).status)
        return handle, ids

    def assert_told(self, handle, workflow_id):
        """The workflow has gone on, with the error."""
        self.assertEqual("succeeded", row(handle).status)
        (error,) = handle.result()
        self.assertEqual((WorkflowNotFound, workflow_id), (type(error), error.workflow_id))


class AWorkflowThatIsWaitedFor(SituationTestCase):
    def test_cannot_be_deleted(self):
        """E18: it lives; a queryset and a row refuse, in one piece, and who waits goes on waiting."""
        for definition, kinds in ((acts_itself, waits()), (acts_in_async, awaits())):
            for name, wait in kinds.items():
                with self.subTest(wait=name):
                    handle, ids = self.waiter(definition, wait)
                    for rows in (Workflow.objects.filter(pk__in=ids), Workflow.objects.get(pk=ids[0])):
                        with self.assertRaisesMessage(ProtectedError, "cannot be deleted: it is waiting"):
                            rows.delete()

                    self.assertEqual(2, Workflow.objects.filter(pk__in=ids).count())
                    self.assertEqual("waiting", row(handle).status)

    def test_can_be_deleted_when_it_has_ended(self):
        """Who has waited is awake by then, and hears of the end, or finds nothing."""
        for is_first in (True, False):
            with self.subTest(is_first=is_first):
                handle, ids = self.waiter(acts_itself, waits()["result()"])
                Workflow.objects.get(pk=ids[0]).cancel()
                if is_first:
                    run_until_idle()
                Workflow.objects.get(pk=ids[0]).delete()
                run_until_idle()

                (error,) = handle.result()
                self.assertEqual(
                    (WorkflowCancelled if is_first else WorkflowNotFound, ids[0]), (type(error), error.workflow_id)
                )

    def test_still_gets_an_event_that_was_there_before(self):
        """What was recorded stays."""
        other = waiting(waiting_child)
        Event.objects.create(workflow_id=other.id, key="a", value="1")
        with acting(lambda: [durable.get_event(other.id, "a"), durable.receive(timeout=None)]):
            handle = waiting(acts_itself)
            delete_by_hand(other.id)
            durable.send(handle.id, 2)
            run_until_idle()

        self.assertEqual([1, 2], handle.result())

    def test_is_no_business_of_ended_ones(self):
        """Nobody waits for them: to delete many wakes nobody."""
        parents = [branching.calls_a_child.start(number) for number in range(3)]
        run_until_idle()
        with statements() as seen:
            count, _kinds = Workflow.objects.filter(parent__in=[each.id for each in parents]).delete()

        self.assertGreaterEqual(count, 3)
        self.assertEqual([], [sql for sql in seen if "waiting_for" in sql and sql.startswith("UPDATE")])


class AnEventOfAWorkflowThatIsDeleted(SituationTestCase):
    def test_is_told_though_the_workflow_did_not_exist_at_first(self):
        """It was seen since: it is waited for, found, and missed."""
        for number, timeout in enumerate((None, 7200)):
            later = f"later-{number}"
            for wait in (
                partial(durable.get_event, later, "a", timeout),
                partial(durable.gather, partial(durable.get_event, later, "a", timeout)),
            ):
                with self.subTest(timeout=timeout), acting(lambda wait=wait: calls(wait)):
                    handle = waiting(acts_itself)
                    waiting(waiting_child.using(id=later))
                    with travel(seconds=1.1):
                        run_until_idle()
                    self.assertEqual(None, row(handle).run_after if timeout is None else None)
                    delete_by_hand(later)
                    Workflow.objects.wake_bereft()
                    run_until_idle()

                    self.assert_told(handle, later)

    def test_is_waited_for_if_there_never_was_one(self):
        """As ever: it may still be started."""
        with acting(lambda: durable.get_event("later", "a", None)):
            handle = waiting(acts_itself)
            with travel(seconds=5):
                run_until_idle()

        self.assertEqual("waiting", row(handle).status)

    def test_says_nothing_of_what_was_seen(self):
        """The step that waits has no result yet, whatever its row remembers."""
        handle, _ids = self.waiter(acts_itself, waits()["get_event()"])

        step = handle.workflow.steps.get(kind="get_event")
        self.assertEqual(("waiting", None), (step.state, step.error))


class ARowThatWasDeletedByHand(SituationTestCase):
    def look(self):
        """Do what the janitor of a worker does now and then."""
        count = Workflow.objects.wake_bereft()
        run_until_idle()
        return count

    def test_is_missed(self):
        """By the janitor: nobody else would wake who waits for it."""
        for definition, kinds in ((acts_itself, waits()), (acts_in_async, awaits())):
            for name, wait in kinds.items():
                if "gather" in name or "first" in name:
                    continue
                with self.subTest(wait=name):
                    handle, ids = self.waiter(definition, wait)
                    gone = ids[-1] if kind_of(name) == "all" else ids[0]
                    delete_by_hand(gone)
                    before = row(handle).attempt
                    self.look()

                    self.assertEqual(1, before)
                    self.assert_told(handle, gone)

    def test_is_missed_later_by_who_waits_for_several_things(self):
        """What those wait for does not stand in their rows: they look for themselves, an hour after the last time."""
        for definition, kinds in ((acts_itself, waits()), (acts_in_async, awaits())):
            for name, wait in kinds.items():
                if "gather" not in name:
                    continue
                with self.subTest(wait=name):
                    handle, ids = self.waiter(definition, wait)
                    delete_by_hand(*ids)
                    self.look()
                    before = row(handle).attempt
                    with travel(seconds=LONG_SECONDS):
                        self.look()

                    self.assertEqual(1, before)
                    self.assert_told(handle, ids[0])

    def test_is_missed_later_if_ids_and_keys_have_colons(self):
        """Where the id ends and the key begins cannot be told."""
        waiting(waiting_child.using(id="order"))
        waiting(waiting_child.using(id="order:7"))
        with acting(lambda: calls(lambda: durable.get_event("order:7", "paid", None))):
            handle = waiting(acts_itself)
            delete_by_hand("order:7")
            before = self.look(), row(handle).attempt
            with travel(seconds=LONG_SECONDS):
                self.look()

        self.assertEqual((0, 1), before)
        self.assert_told(handle, "order:7")

    def test_is_not_missed_by_others(self):
        """Who waits for messages, time, or what is there, is left alone."""
        other = waiting(waiting_child)
        handles = [waiting(branching.awaits_end_of, other.id), waiting(acts_itself)]
        with acting(lambda: durable.get_event(other.id, "a", None)):
            handles.append(waiting(acts_itself))
        with acting(lambda: durable.sleep(86400)):
            handles.append(waiting(acts_itself))
        attempts = [row(each).attempt for each in handles]
        with travel(seconds=LONG_SECONDS):
            count = self.look()

        self.assertEqual((0, attempts), (count, [row(each).attempt for each in handles]))


class SomebodyElseWhoWaits(TransactionTestCase):
    def test_for_an_event_is_told(self):
        """Outside of workflows: the row was there, and is gone."""
        waiting_child.using(id="other").start()
        looks = []

        def note(execute, sql, *rest):
            looks.append(sql)
            return execute(sql, *rest)

        def wait():
            with connection.execute_wrapper(note):
                return calls(lambda: durable.get_event("other", "a", 60, default="none"))[0]

        def delete():
            eventually(lambda: looks, "it has looked")
            delete_by_hand("other")

        thread = threading.Thread(target=elsewhere, args=[delete])
        thread.start()
        found = elsewhere(wait)
        thread.join()

        self.assertEqual((WorkflowNotFound, "other"), (type(found), found.workflow_id))

    def test_for_one_that_never_was_gives_up_in_time(self):
        """As ever."""
        with self.assertRaises(EventTimeout):
            durable.get_event("never", "a", 0.05)
