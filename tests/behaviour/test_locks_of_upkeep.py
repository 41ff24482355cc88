"""Upkeep among many locked rows: it passes by what an operator's verb has locked, or waits for it in the same order."""

import threading
from unittest import skipUnless

from django.db import connection, transaction
from django.test import TransactionTestCase

from durable_django import WorkflowPruned
from durable_django.base import registry
from durable_django.models import Queue, Step, Workflow, retention
from durable_django.testing import run_until_idle
from tests.behaviour.claiming import start_ids, sync
from tests.behaviour.support import elsewhere, eventually, is_anybody_blocked, row, waiting
from tests.sample import branching
from tests.sample.branching import waiting_child
from tests.sample.queued import begins
from tests.sample.workflows import two_marks


@skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
class Upkeep(TransactionTestCase):
    def setUp(self):
        sync()
        # The first in line has the last id, so that to go by the line is to go against the ids.
        start_ids(begins.using(queue="three"), "z", "a")

    def while_locked(self, act):
        """Let it act while somebody holds the row that a verb locks first."""
        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["a"])
            return elsewhere(act)

    def test_puts_unknown_ones_aside_that_nobody_has_locked(self):
        """The others at the next look."""
        self.while_locked(lambda: Workflow.objects.put_aside("three", names=["other"]))

        self.assertEqual(["z"], list(Workflow.objects.filter(waiting_for="code").values_list("pk", flat=True)))

    def test_takes_known_ones_up_that_nobody_has_locked(self):
        """As above."""
        Workflow.objects.put_aside("three", names=["other"])

        self.assertEqual(1, self.while_locked(lambda: Workflow.objects.promote_known(registry.workflows.names())))

    def test_gives_partitions_to_those_that_nobody_has_locked(self):
        """As above."""
        Queue.objects.filter(pk="three").edit(partitioned=True)
        self.addCleanup(Queue.objects.filter(pk="three").revert)
        Workflow.objects.update(partition_key=None)

        self.assertEqual(1, self.while_locked(Queue.objects.give_partitions))

    def test_of_an_edit_goes_by_the_ids(self):
        """It waits for the first of those that it changes before it locks the second."""
        queue = Queue.objects.filter(pk="three")
        self.addCleanup(queue.revert)
        editing = threading.Thread(target=elsewhere, args=[lambda: queue.edit(partitioned=True)])

        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["a"])
            editing.start()
            eventually(is_anybody_blocked, "the edit waits for who is locked")
            Workflow.objects.select_for_update(nowait=True).get(pk="z")
        editing.join(30)

        self.assertEqual({""}, set(Workflow.objects.values_list("partition_key", flat=True)))


@skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
class ARecovery(TransactionTestCase):
    def test_that_gives_up_holds_nothing_while_it_waits_for_who_waits(self):
        """What it ends is locked together with who waits for that, and nothing else of its batch."""
        for workflow_id in "bc":
            waiting(waiting_child.using(id=workflow_id))
        waiting(branching.awaits_end_of.using(id="a"), "b")
        lost = {"status": "running", "worker": "lost", "recoveries": 20, "max_recoveries": 20}
        Workflow.objects.filter(pk__in="bc").update(**lost)
        recovering = threading.Thread(target=elsewhere, args=[Workflow.objects.recover])

        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["a"])
            recovering.start()
            eventually(is_anybody_blocked, "the recovery waits for who is to be woken")
            free = list(Workflow.objects.select_for_update(nowait=True).filter(pk__in="bc"))
        recovering.join(30)

        self.assertEqual(2, len(free))
        found = dict(Workflow.objects.values_list("pk", "status"))
        self.assertEqual({"a": "queued", "b": "failed", "c": "failed"}, found)


@skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
class ADeletion(TransactionTestCase):
    def test_locks_a_row_before_what_it_owns(self):
        """As pruning does: in another order each could hold what the other waits for."""
        many, one = two_marks.start("a"), two_marks.start("b")
        run_until_idle()
        for handle, delete in ((many, Workflow.objects.filter(pk=many.id).delete), (one, row(one).delete)):
            deleting = threading.Thread(target=elsewhere, args=[delete])

            with transaction.atomic():
                Workflow.objects.all().lock_in_order([handle.id])
                deleting.start()
                eventually(is_anybody_blocked, "the deletion waits for the row")
                owned = len(Step.objects.filter(workflow=handle.id).select_for_update(nowait=True))
            deleting.join(30)

            self.assertEqual((2, False), (owned, Workflow.objects.filter(pk=handle.id).exists()))


@skipUnless(connection.vendor == "postgresql", "SQLite locks no single row")
class AFork(TransactionTestCase):
    def test_waits_for_a_sweep_of_what_it_names(self):
        """It is told that this was pruned, and has locked nothing by then that stands behind it in order of id."""
        other = branching.child.using(id="a").start(50)
        origin = branching.starts_and_waits.using(id="b").start(1)
        run_until_idle()
        replaced = {branching.children_of(origin)[0]: other.id}
        errors = []
        forking = threading.Thread(target=elsewhere, args=[lambda: self.fork(origin, replaced, errors)])

        with transaction.atomic():
            Workflow.objects.all().lock_in_order(["a"])
            forking.start()
            eventually(is_anybody_blocked, "the fork waits for what it names")
            Workflow.objects.select_for_update(nowait=True).get(pk="b")
            retention.strip(Workflow.objects.all(), ["a"])
        forking.join(30)

        self.assertEqual(["a"], errors)

    def fork(self, origin, replaced, errors):
        try:
            row(origin).fork(from_step=9, replacement_children=replaced)
        except WorkflowPruned as error:
            errors.append(error.workflow_id)
