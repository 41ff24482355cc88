"""Retention: who ended long ago loses all but a bare row, later that too; nobody loses what may still be asked for."""

import math
from datetime import timedelta
from itertools import pairwise
from unittest import mock

from django.db import connection
from django.test import TestCase, override_settings

import durable_django as durable
from durable_django import WorkflowConflict, WorkflowNotFound, WorkflowPruned, get_handle, send, workflow
from durable_django.base.clock import FOR_EVER
from durable_django.models import QueueStart, Step, Workflow, retention
from durable_django.testing import run_until_idle, travel
from tests.behaviour.retaining import ended, left_of, sweep, whole
from tests.behaviour.states import ENDED, LIVE, workflow_in
from tests.behaviour.support import acting, labels, row, statements, waiting
from tests.sample import branching
from tests.sample.branching import awaits_end_of, child, children_of, starts_and_waits, waiting_child
from tests.sample.promises import acts_itself, takes_order, three_marks


@workflow(retention=60)
def keeps_a_minute(label):
    return label


@workflow(retention=timedelta(days=1000))
def keeps_for_years(label):
    return label


@workflow(retention=0)
def keeps_nothing(label):
    return label


@workflow(retention=math.inf)
def keeps_for_ever(label):
    return label


def succeeded(definition, *args, **options):
    """Start a workflow and let it end. Return its handle."""
    handle = definition.using(**options).start(*args) if options else definition.start(*args)
    run_until_idle()
    return handle


def fail(handle):
    """Let a workflow have failed at the moment at which it ended."""
    Workflow.objects.filter(pk=handle.id).update(status="failed", error="{}")


class AfterItsRetention(TestCase):
    def test_a_workflow_loses_what_it_owns(self):
        """Steps, messages, events with their history, streams; arguments, outcome and what people wrote."""
        handle = acts_itself.using(id="order-7", attributes={"customer": 7}, user=5).start()
        send(handle.id, "hello")

        def talk():
            durable.receive()
            durable.set_event("state", "paid")
            durable.write_stream("log", "a line")

        with acting(talk):
            run_until_idle()
        before = left_of("order-7")
        swept = sweep(days=31)

        self.assertEqual({"Step", "Message", "Event", "EventChange", "StreamEntry"}, set(before))
        self.assertEqual((1, {}), (swept, left_of("order-7")))
        bare = row(handle)
        self.assertEqual(
            ("", None, None, "", {}, ""),
            (bare.arguments, bare.output, bare.error, bare.reason, bare.attributes, bare.started_by),
        )
        self.assertTrue(bare.is_bare)

    def test_its_bare_row_stays(self):
        """Id, name, status, fingerprint and the moments."""
        handle = succeeded(three_marks, "a")
        before = row(handle)
        sweep(days=31)
        after = row(handle)

        for name in ("id", "name", "status", "fingerprint", "queue", "created_at", "finished_at", "attempt"):
            self.assertEqual(getattr(before, name), getattr(after, name), name)

    def test_counts_from_the_end(self):
        """Not from the start: one that ran for a month and ended a moment ago keeps everything."""
        with travel(days=-40):
            handle = waiting(waiting_child)
        send(handle.id, "end")
        run_until_idle()

        self.assertEqual((0, 1), (sweep(days=29), sweep(days=31)))

    def test_each_end_has_its_own(self):
        """A failed one may be resumed for longer than one that succeeded or was cancelled."""
        handles = {state: workflow_in(state) for state in ENDED}
        after = {}
        for days in (29, 31, 89, 91):
            sweep(days)
            after[days] = {state for state in ENDED if whole(handles[state]) == [True]}

        self.assertEqual({29: set(ENDED), 31: {"failed"}, 89: {"failed"}, 91: set()}, after)

    def test_live_ones_lose_nothing(self):
        """However long ago they were started."""
        handles = [workflow_in(state) for state in LIVE]
        swept = sweep(days=4000)

        self.assertEqual((0, [True] * len(LIVE)), (swept, whole(*handles)))

    def test_one_that_is_still_held_loses_nothing(self):
        """A cancelled attempt that has not let go may still record the step that it is in."""
        handle = workflow_in("running")
        handle.workflow.cancel()
        before = sweep(days=31)
        Workflow.objects.filter(pk=handle.id).update(worker=None)
        after = sweep(days=31)

        self.assertEqual((0, 1), (before, after))

    def test_starts_go_on_counting_in_rates(self):
        """The memory of a rate belongs to the queue."""
        handle = succeeded(three_marks, "a")
        QueueStart.objects.create(queue="default", workflow=handle.id)
        sweep(days=31)
        sweep(days=400)

        self.assertEqual(1, QueueStart.objects.filter(workflow=handle.id).count())

    def test_a_second_sweep_finds_nothing(self):
        """It costs a probe of an index for each kind of end, and one for what has a retention of its own."""
        succeeded(three_marks, "a")
        sweep(days=31)
        with statements() as seen:
            swept = sweep(days=31)

        self.assertEqual(0, swept)
        self.assertEqual(5, len(seen), seen)


class HowLong(TestCase):
    def test_is_a_setting(self):
        """In days, also parts of a day, counted from the end; of failed ones apart."""
        handle, failed = workflow_in("succeeded"), workflow_in("failed")
        with override_settings(DURABLE_DJANGO={"RETENTION_DAYS": 0.5, "FAILED_RETENTION_DAYS": 2}):
            after = [(sweep(days), whole(handle, failed)) for days in (0.4, 0.6, 2.1)]

        self.assertEqual([(0, [True, True]), (1, [False, True]), (1, [False, False])], after)

    def test_may_be_for_ever(self):
        """None; the other kind of end is pruned all the same."""
        handle, failed = workflow_in("succeeded"), workflow_in("failed")
        with override_settings(DURABLE_DJANGO={"RETENTION_DAYS": None}):
            self.assertEqual((1, [True, False]), (sweep(days=300), whole(handle, failed)))

    def test_is_said_by_the_workflow(self):
        """Seconds or a timedelta, for every end of it; the settings say nothing then."""
        handles = [succeeded(each, "a") for each in (keeps_a_minute, keeps_for_years, keeps_nothing, keeps_for_ever)]
        failed = succeeded(keeps_a_minute, "b")
        fail(failed)
        after = [(sweep(days), whole(*handles, failed)) for days in (0, 0.001, 999, 1001, 20000)]

        self.assertEqual(
            [
                (1, [True, True, False, True, True]),
                (2, [False, True, False, True, False]),
                # The bare rows of the three are deleted after a year.
                (3, [False, True, False, True, False]),
                (2, [False, False, False, True, False]),
                (0, [False, False, False, True, False]),
            ],
            after,
        )

    def test_stands_in_the_row(self):
        """As it was when the workflow was started; what the code says later holds for later starts."""
        handles = [succeeded(each, "a") for each in (keeps_a_minute, keeps_for_years, keeps_for_ever, three_marks)]

        self.assertEqual([60, 86_400_000, FOR_EVER, None], [row(handle).retention_seconds for handle in handles])


class TheBareRow(TestCase):
    def setUp(self):
        self.handle = succeeded(takes_order.using(id="webhook-7"), 7)
        sweep(days=31)

    def test_answers_a_late_start(self):
        """The same webhook a second time finds the first workflow, and runs nothing."""
        with travel(days=300):
            late = takes_order.using(id="webhook-7").start(7)
            ran = run_until_idle()

        self.assertEqual(("webhook-7", "succeeded", 0), (late.id, late.status, ran))

    def test_refuses_another_start(self):
        """Its fingerprint still knows the arguments."""
        with self.assertRaisesMessage(WorkflowConflict, "webhook-7"):
            takes_order.using(id="webhook-7").start(8)
        with self.assertRaisesMessage(WorkflowConflict, "webhook-7"):
            three_marks.using(id="webhook-7").start("a")

    def test_has_no_result(self):
        """A handle says that it is gone, how the workflow ended, and how to keep results for longer."""
        for ask in (self.handle.result, lambda: takes_order.using(id="webhook-7")(7)):
            with self.assertRaises(WorkflowPruned) as caught:
                ask()
            self.assertEqual(("webhook-7", "succeeded"), (caught.exception.workflow_id, caught.exception.status))
            self.assertIn("@workflow(retention=)", str(caught.exception))

    def test_has_no_result_for_another_workflow(self):
        """It is an error that is recorded, and can be caught."""
        waiter = awaits_end_of.start("webhook-7")
        run_until_idle()

        with self.assertRaises(WorkflowPruned):
            waiter.result()

    def test_is_not_continued(self):
        """Its steps are gone: resumed, it would run them again."""
        handle = workflow_in("failed")
        sweep(days=91)

        with self.assertRaises(WorkflowPruned):
            row(handle).resume()
        self.assertEqual(0, Workflow.objects.failed().resume())
        self.assertEqual(("failed", ["before"]), (row(handle).status, labels()))

    def test_goes_after_idempotency_days(self):
        """From the end on; then the id is free."""
        before = sweep(days=364), get_handle("webhook-7").id
        deleted = sweep(days=366)

        self.assertEqual((0, "webhook-7", 1), (*before, deleted))
        with self.assertRaises(WorkflowNotFound):
            get_handle("webhook-7")
        self.assertEqual("queued", takes_order.using(id="webhook-7").start(8).status)

    def test_may_stay_for_ever(self):
        """IDEMPOTENCY_DAYS None keeps it."""
        with override_settings(DURABLE_DJANGO={"IDEMPOTENCY_DAYS": None}):
            self.assertEqual(0, sweep(days=4000))

    def test_may_go_with_what_it_owns(self):
        """IDEMPOTENCY_DAYS 0: one sweep prunes, and deletes."""
        handle = succeeded(three_marks, "a")
        with override_settings(DURABLE_DJANGO={"IDEMPOTENCY_DAYS": 0}):
            sweep(days=31)

        self.assertFalse(Workflow.objects.filter(pk__in=[handle.id, "webhook-7"]).exists())

    def test_does_not_go_before_its_retention(self):
        """Whatever IDEMPOTENCY_DAYS says: what is whole is whole."""
        handle = succeeded(keeps_for_years, "a")
        with override_settings(DURABLE_DJANGO={"IDEMPOTENCY_DAYS": 1}):
            sweep(days=31)

        self.assertEqual("a", handle.result())


class WhatSomebodyMayAskFor(TestCase):
    def test_children_of_one_that_lives(self):
        """The parent may ask for a result at any time, also again; when it has ended, nobody does."""
        parent = waiting(branching.starts_and_lingers, 1)
        (child,) = children_of(parent)
        send(child, "end")
        run_until_idle()
        before = sweep(days=31)
        send(parent.id, "end")
        run_until_idle()
        after = sweep(days=31)

        self.assertEqual((0, 2), (before, after))

    def test_children_of_one_that_can_be_resumed(self):
        """A failed parent that is resumed finds the results that it has not read."""
        parent = succeeded(starts_and_waits, 1, 2)
        fail(parent)
        children = [get_handle(each) for each in children_of(parent)]
        sweep(days=31)
        before = whole(parent, *children)
        sweep(days=91)
        sweep(days=91)

        self.assertEqual(([True, True, True], [False, False, False]), (before, whole(parent, *children)))

    def test_the_parent_of_live_children(self):
        """Whoever cancels its tree finds them by it."""
        parent = waiting(branching.starts_and_goes, 1)
        before = sweep(days=31)
        Workflow.objects.filter(pk__in=children_of(parent)).cancel()

        self.assertEqual((0, 2), (before, sweep(days=31)))

    def test_the_original_of_a_fork_that_goes_on(self):
        """With its children, whose results the fork reads."""
        original = succeeded(starts_and_waits, 1)
        (child,) = children_of(original)
        fork = waiting(waiting_child)
        Workflow.objects.filter(pk=fork.id).update(forked_from=original.id)
        sweep(days=31)
        before = whole(original, get_handle(child))
        send(fork.id, "end")
        run_until_idle()
        sweep(days=31)

        self.assertEqual(([True, True], [False, False]), (before, whole(original, get_handle(child))))

    def test_the_children_that_a_fork_of_a_fork_shares(self):
        """Whatever has become of the forks in between."""
        original = succeeded(starts_and_waits, 1)
        (child,) = children_of(original)
        between, last = [succeeded(starts_and_waits) for _ in range(2)], waiting(waiting_child)
        for origin, fork in pairwise([original, *between, last]):
            Workflow.objects.filter(pk=fork.id).update(forked_from=origin.id)
        sweep(days=31)
        sweep(days=31)
        before = whole(get_handle(child))
        send(last.id, "end")
        run_until_idle()
        sweep(days=31)

        self.assertEqual(([True], [False]), (before, whole(get_handle(child))))

    def test_the_one_whose_result_a_fork_reads_instead_of_a_childs(self):
        """Also a fork of that fork; until both have ended."""
        original, other = succeeded(starts_and_waits, 1), succeeded(child, 50)
        Step.objects.filter(workflow=original.id, kind="result").delete()
        first = row(original).fork(from_step=9, replacement_children={children_of(original)[0]: other.id})
        first.pause()
        sweep(days=31)
        second = first.fork(from_step=9)
        second.pause()
        first.resume()
        run_until_idle()
        sweep(days=31)
        before = whole(other)
        second.resume()
        run_until_idle()
        result = get_handle(second.pk).result()
        sweep(days=31)

        self.assertEqual(([100], [True], [False]), (result, before, whole(other)))

    def test_nobody_else_where_rows_of_other_hands_stand_in_a_circle(self):
        """Each is a fork of the other one."""
        (parent, other), children = ended(2), ended(2)
        Workflow.objects.filter(pk__in=children).update(parent=parent)
        Workflow.objects.filter(pk=parent).update(forked_from=other)
        Workflow.objects.filter(pk=other).update(forked_from=parent)

        self.assertEqual(4, sweep(days=31))

    def test_the_one_that_a_paused_workflow_waits_for(self):
        """It asks when it is resumed."""
        awaited = waiting(waiting_child)
        waiter = waiting(awaits_end_of, awaited.id)
        row(waiter).pause()
        send(awaited.id, "end")
        run_until_idle()
        before = sweep(days=31)
        row(waiter).resume()
        run_until_idle()

        self.assertEqual((0, 2), (before, sweep(days=31)))

    def test_keeps_nobody_else(self):
        """Those that have to stay are stepped over, however many there are in front."""
        parent = waiting(waiting_child)
        ended(7, parent_id=parent.id)
        free = ended(5)
        with mock.patch.object(retention, "BATCH", 3):
            self.assertEqual(5, sweep(days=31))

        self.assertEqual(set(free), set(Workflow.objects.filter(is_bare=True).values_list("pk", flat=True)))


class ALongHistory(TestCase):
    def setUp(self):
        self.ids = ended(1, steps=25) + ended(2, steps=2)
        for name, size in (("ROWS", 10), ("BATCH", 2)):
            patched = mock.patch.object(retention, name, size)
            patched.start()
            self.addCleanup(patched.stop)

    def test_goes_in_several_transactions(self):
        """None of whose statements reads, changes or deletes more than a bounded number of rows."""
        touched = []

        def count(execute, sql, *others):
            answer = execute(sql, *others)
            touched.append(others[-1]["cursor"].rowcount)
            return answer

        with travel(days=31), connection.execute_wrapper(count):
            counts = list(retention.sweep(Workflow.objects.all()))

        self.assertEqual((3, {}), (sum(counts), left_of(self.ids[0])))
        self.assertGreater(len(counts), 3)
        self.assertEqual(10, max(touched))

    def test_is_pruned_from_the_first_of_them_on(self):
        """Who was killed behind it leaves nothing that could be resumed with a part of its steps."""
        Workflow.objects.filter(pk=self.ids[0]).update(status="failed")
        with travel(days=91):
            next(retention.sweep(Workflow.objects.failed()))
            found = Workflow.objects.get(pk=self.ids[0])
            resumed = Workflow.objects.failed().resume()

        self.assertEqual({"Step": 15}, left_of(self.ids[0]))
        self.assertEqual((True, False, 0), (found.pruned_at is not None, found.is_bare, resumed))

    def test_is_gone_on_with_by_the_next_sweep(self):
        """Whoever sweeps then finds it first."""
        with travel(days=31):
            before = next(retention.sweep(Workflow.objects.all()))
        after = sweep(days=31)

        self.assertEqual((3, {}), (before + after, left_of(self.ids[0])))
