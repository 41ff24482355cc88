"""Who cancels a workflow cancels what it has started, and what that has started, also meanwhile."""

import threading
from io import StringIO
from unittest import mock, skipUnless

from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import WorkflowHandle
from durable_django.models import Workflow
from durable_django.models.workflow_queryset import BATCH
from durable_django.testing import run_until_idle
from tests.behaviour.support import (
    acting,
    elsewhere,
    eventually,
    is_anybody_blocked,
    labels,
    row,
    statements,
    steps,
    waiting,
)
from tests.sample import branching
from tests.sample.branching import child, children_of, waiting_child
from tests.sample.promises import acts, acts_itself
from tests.sample.talking import awaits_event, publishes_when_told


def statuses(*ids):
    """Return the status of each, or of all in the order of their starts."""
    rows = Workflow.objects.filter(pk__in=ids) if ids else Workflow.objects.all()
    return list(rows.order_by("line").values_list("status", flat=True))


class ATreeThatIsCancelled(TestCase):
    def test_ends_whole(self):
        """Parent, children and grandchildren, with the reason of the cancel; the count is that of all."""
        handle = waiting(branching.lingers_below, 3)

        count = Workflow.objects.filter(pk=handle.id).cancel("closed")

        self.assertEqual((4, ["cancelled"] * 4), (count, statuses()))
        self.assertEqual({"closed"}, set(Workflow.objects.values_list("reason", flat=True)))
        self.assertEqual(0, run_until_idle())

    def test_ends_whole_by_the_verb_of_a_row(self):
        """Which says whether the row itself was live."""
        handle = waiting(branching.lingers_below, 3)

        answers = [row(handle).cancel("closed"), row(handle).cancel("again")]

        self.assertEqual(([True, False], ["cancelled"] * 4), (answers, statuses()))

    def test_ends_children_that_wait_for_nobody(self):
        """Also those whose end the parent does not wait for, queued ones and paused ones."""
        handle = branching.starts_and_lingers.start(3)
        run_until_idle()
        paused, queued, _waiting = children_of(handle)
        Workflow.objects.filter(pk=paused).pause()
        Workflow.objects.filter(pk=queued).pause()
        Workflow.objects.filter(pk=queued).resume()

        row(handle).cancel()

        self.assertEqual(["cancelled"] * 4, statuses())

    def test_leaves_alone_what_has_ended(self):
        """An outcome stays; but what an ended child has started, and still lives, ends."""
        with acting(lambda: [child.start(1), branching.starts_and_goes.start(1), durable.receive(timeout=None)]):
            handle = waiting(acts_itself)
        ended, grandparent = children_of(handle)
        (grandchild,) = children_of(WorkflowHandle(grandparent))

        row(handle).cancel()

        self.assertEqual(["succeeded", "succeeded", "cancelled"], statuses(ended, grandparent, grandchild))

    def test_leaves_alone_its_parent_and_its_siblings(self):
        """Only what is below; the parent gets WorkflowCancelled."""
        handle = waiting(branching.awaits_own_children, "a", "b", is_for_all=True)
        first, second = children_of(handle)

        Workflow.objects.filter(pk=first).cancel()
        run_until_idle()

        self.assertEqual(["waiting", "cancelled", "waiting"], statuses(handle.id, first, second))

    def test_leaves_children_alone_if_asked(self):
        """children=False: they go on."""
        for cancel in (lambda rows: rows.cancel(children=False), lambda rows: rows.get().cancel(children=False)):
            handle = branching.starts_and_lingers.start(2)
            run_until_idle()

            cancel(Workflow.objects.filter(pk=handle.id))

            self.assertEqual(["cancelled", "waiting", "waiting"], statuses(handle.id, *children_of(handle)))

    def test_is_ended_whole_the_second_time(self):
        """Whoever died between parent and children can ask again; so can who has changed their mind."""
        handle = waiting(branching.lingers_below, 3)
        row(handle).cancel(children=False)

        count = Workflow.objects.filter(pk=handle.id).cancel()

        self.assertEqual((3, ["cancelled"] * 4), (count, statuses()))

    def test_is_not_begun_from_a_parent_that_got_through(self):
        """A parent that has ended before is not cancelled, and neither are its children."""
        handle = waiting(branching.starts_and_goes, 2)

        count = Workflow.objects.filter(pk=handle.id).cancel()

        self.assertEqual((0, ["succeeded", "waiting", "waiting"]), (count, statuses()))

    def test_is_ended_in_batches(self):
        """Parents first; each batch is a transaction of its own."""
        handle = waiting(waiting_child)
        waiting_child.start_many([()] * (BATCH + 10))
        Workflow.objects.exclude(pk=handle.id).update(parent_id=handle.id)

        with statements() as seen:
            row(handle).cancel()

        changes = [sql for sql in seen if sql.startswith('UPDATE "durable_django_workflow"')]
        self.assertEqual({"cancelled"}, set(statuses()))
        self.assertEqual(3, len(changes))

    def test_of_any_depth_ends(self):
        """Two hundred levels."""
        first, *others = waiting_child.start_many([()] * 200)
        for parent, each in zip([first, *others], others, strict=False):
            Workflow.objects.filter(pk=each.id).update(parent_id=parent.id)

        first.workflow.cancel()

        self.assertEqual({"cancelled"}, set(statuses()))

    def test_rings_once(self):
        """Workers hear of it after the last batch."""
        handle = waiting(branching.lingers_below, 3)
        with mock.patch("durable_django.signals.workflows_stopped.send_robust") as told:
            Workflow.objects.filter(pk=handle.id).cancel()

        self.assertEqual([4], [call.kwargs["count"] for call in told.call_args_list])


class APausedTree(TestCase):
    def test_is_paused_at_its_top_only(self):
        """Children go on, and end; their parent gets the results once it is resumed."""
        handle = waiting(branching.awaits_own_children, "a", is_for_all=True)
        (first,) = children_of(handle)
        row(handle).pause()
        durable.send(first, "done", "a")
        run_until_idle()
        paused = statuses(handle.id, first)
        row(handle).resume()
        run_until_idle()

        self.assertEqual((["paused", "succeeded"], "succeeded"), (paused, row(handle).status))


class ATreeThatGrowsMeanwhile(TestCase):
    def test_is_not_grown_by_a_plain_step_of_a_cancelled_parent(self):
        """The start finds its parent cancelled, and lets go instead of starting what nobody would cancel."""

        def cancel_and_start():
            Workflow.objects.get().cancel("enough")
            return child.start(1).id

        with acting(cancel_and_start):
            handle = waiting(acts)

        self.assertEqual((["cancelled"], None), (statuses(), row(handle).worker))
        self.assertEqual((["mark_atomically"], ["before"]), (steps(handle), labels()))

    def test_is_grown_by_a_step_of_a_paused_parent(self):
        """It finishes its step, whose child lives."""

        def pause_and_start():
            Workflow.objects.get().pause()
            return child.start(1).id

        with acting(pause_and_start):
            handle = waiting(acts)

        self.assertEqual(["paused", "succeeded"], statuses())
        self.assertEqual(["mark_atomically", "act"], steps(handle))

    def test_is_not_grown_by_a_cancelled_workflow_itself(self):
        """No further operation begins after the step that it is in."""

        def cancel():
            Workflow.objects.get().cancel("enough")

        def body():
            durable.run_step(cancel)
            child.start(1)

        with acting(body):
            waiting(acts_itself)

        self.assertEqual(["cancelled"], statuses())


class AStartAgainstACancel(TransactionTestCase):
    def race(self, start):
        """Let a parent start children while it is cancelled from elsewhere. Return the statuses of all."""
        begun = threading.Event()
        cancelled = []

        def cancel():
            begun.wait(30)
            try:
                cancelled.append(Workflow.objects.filter(parent__isnull=True).cancel("race"))
            finally:
                connections.close_all()

        def body():
            for number in range(20):
                if number == 3:
                    begun.set()
                start(number)
            durable.receive(timeout=None)

        with acting(body):
            handle = acts_itself.start()
            thread = threading.Thread(target=cancel)
            thread.start()
            run_until_idle()
            thread.join(30)
        self.assertEqual("cancelled", row(handle).status)
        return statuses()[1:]

    def test_leaves_no_child_alive(self):
        """Whichever was first: a child is cancelled, has ended by itself, or was never started."""
        for start in (waiting_child.start, start_in_step):
            with self.subTest(start=start):
                found = self.race(lambda number, start=start: start(str(number)))
                self.assertLessEqual(3, len(found))
                self.assertEqual({"cancelled"}, set(found))
                Workflow._base_manager.all().delete()

    @skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
    def test_meets_the_end_of_a_child_in_one_order(self):
        """A child that ends locks its parent first, as a cancel of both does: none holds what the other waits for."""
        handle = waiting(branching.awaits_end_of.using(id="a"), waiting_child.using(id="b").start().id)
        Workflow.objects.filter(pk="b").update(parent_id=handle.id)
        durable.send("b", None)
        ending = threading.Thread(target=elsewhere, args=[run_until_idle])

        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["a"])
            ending.start()
            eventually(is_anybody_blocked, "the end waits for the parent")
            Workflow.objects.select_for_update(nowait=True).get(pk="b")
        ending.join(30)

        self.assertEqual(["succeeded"] * 2, statuses())

    @skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
    def test_meets_an_end_that_strangers_wait_for_in_one_order(self):
        """They are no children of each other: the end locks who waits for it, too, before itself."""
        waiting(waiting_child.using(id="b"))
        waiting(branching.awaits_end_of.using(id="a"), "b")
        durable.send("b", None)
        ending = threading.Thread(target=elsewhere, args=[run_until_idle])

        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["a"])
            ending.start()
            eventually(is_anybody_blocked, "the end waits for who is to be woken")
            Workflow.objects.select_for_update(nowait=True).get(pk="b")
        ending.join(30)

        self.assertEqual(["succeeded"] * 2, statuses())

    @skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
    def test_meets_an_event_in_one_order(self):
        """Who sets it locks who waits for it, too, before itself: they may be strangers."""
        waiting(publishes_when_told.using(id="b"), "key", 1)
        waiting(awaits_event.using(id="a"), "b", "key", None)
        durable.send("b", None)
        setting = threading.Thread(target=elsewhere, args=[run_until_idle])

        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["a"])
            setting.start()
            eventually(is_anybody_blocked, "the event waits for who is to be woken")
            Workflow.objects.select_for_update(nowait=True).get(pk="b")
        setting.join(30)

        self.assertEqual(["waiting", "succeeded"], statuses())

    @skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
    def test_that_moves_another_one_meets_it_in_one_order(self):
        """A debounced start in a workflow locks that and the one that it moves as a cancel of both does."""
        debounced = branching.child.using(deduplication_key="k", debounce=durable.Debounce(3600))
        debounced.using(id="a").start(1)
        acts_itself.using(id="b").start()
        starting = threading.Thread(target=elsewhere, args=[run_until_idle])

        with acting(lambda: debounced.start(2).id):
            with transaction.atomic():
                Workflow.objects.all().lock_in_order(["a"])
                starting.start()
                eventually(is_anybody_blocked, "the start waits for the one that it moves")
                Workflow.objects.select_for_update(nowait=True).get(pk="b")
            starting.join(30)

        self.assertEqual((["queued", "succeeded"], "a"), (statuses(), durable.get_handle("b").result()))

    @skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
    def test_locks_those_who_wait_in_the_same_order(self):
        """Strangers, too: a cancel of both ends of a chain does not hold one while it waits for what is between."""
        waiting(waiting_child.using(id="a"))
        waiting(branching.awaits_end_of.using(id="b"), "a")
        waiting(branching.awaits_end_of.using(id="c"), "b")
        cancelling = threading.Thread(target=elsewhere, args=[Workflow.objects.filter(pk__in="ac").cancel])

        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["b"])
            cancelling.start()
            eventually(is_anybody_blocked, "the cancel waits for who is to be woken")
            Workflow.objects.select_for_update(nowait=True).get(pk="c")
        cancelling.join(30)
        run_until_idle()

        found = dict(Workflow.objects.values_list("pk", "status"))
        self.assertEqual({"a": "cancelled", "b": "failed", "c": "cancelled"}, found)


def start_in_step(topic):
    return durable.run_step(lambda: waiting_child.start(topic).id, name="start")


class TheCommand(TestCase):
    def cancel(self, *arguments):
        out = StringIO()
        call_command("durable", "cancel", *arguments, stdout=out)
        return out.getvalue().strip()

    def test_cancels_the_tree(self):
        """And tells how many workflows that were."""
        handle = waiting(branching.lingers_below, 2)

        said = self.cancel(handle.id)

        self.assertEqual(("3 workflows cancelled.", ["cancelled"] * 3), (said, statuses()))

    def test_leaves_children_alone_if_asked(self):
        """--no-children."""
        handle = waiting(branching.lingers_below, 2)

        said = self.cancel(handle.id, "--no-children")

        self.assertEqual("1 workflow cancelled.", said)
        self.assertEqual(["cancelled", "waiting", "waiting"], statuses())
