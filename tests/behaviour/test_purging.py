"""purge: what has ended is removed with all that it owns; what lives stays, also for Django's own delete()."""

from unittest import mock

from django.db.models import ProtectedError
from django.test import TestCase

import durable_django as durable
from durable_django import WorkflowNotFound, WorkflowPruned
from durable_django.models import Event, EventChange, Message, Step, StreamEntry, Workflow, retention, workflow_queryset
from durable_django.testing import run_until_idle
from tests.behaviour.states import ENDED, LIVE, STATES, claim, workflow_in
from tests.behaviour.support import row
from tests.behaviour.test_forking import ended, tells
from tests.sample import branching
from tests.sample.promises import acts

OWNED = (Step, Message, Event, EventChange, StreamEntry)


def owned_by(workflow_id):
    return {model.__name__: model.objects.filter(workflow=workflow_id).count() for model in OWNED}


def with_everything():
    handle = tells.start(1, 2)
    durable.send(handle.id, "mail")
    run_until_idle()
    return handle


class PurgedWorkflows(TestCase):
    def test_are_gone_with_all_that_they_own(self):
        """Steps, messages, events with their changes, stream entries."""
        handle, other = with_everything(), with_everything()
        before = owned_by(handle.id)
        count = Workflow.objects.filter(pk=handle.id).purge()

        self.assertEqual((1, True), (count, all(before.values())))
        self.assertEqual(dict.fromkeys(before, 0), owned_by(handle.id))
        self.assertEqual(before, owned_by(other.id))
        with self.assertRaises(WorkflowNotFound):
            handle.refresh()

    def test_are_those_that_have_ended(self):
        """Of the seven states, three."""
        for state in STATES:
            with self.subTest(state=state):
                handle = workflow_in(state)
                Workflow.objects.filter(pk=handle.id, status="cancelled").update(worker=None)
                done = row(handle).purge()

                self.assertEqual(
                    (state in ENDED, state in LIVE), (done, Workflow.objects.filter(pk=handle.id).exists())
                )

    def test_wait_for_their_last_attempt(self):
        """One that was cancelled may still record its step: it stays until it has let go."""
        handle = acts.start()
        attempt = claim(handle)
        row(handle).cancel()
        first = Workflow.objects.purge()
        attempt.let_go()

        self.assertEqual((0, 1), (first, Workflow.objects.purge()))

    def test_may_leave_their_bare_rows(self):
        """The id starts nothing again; result and history are gone."""
        handle = acts.using(id="order-7").start()
        run_until_idle()
        counts = [Workflow.objects.purge(payloads_only=True) for _time in range(2)]
        again = acts.using(id="order-7").start()

        self.assertEqual(([1, 0], "succeeded", 0), (counts, again.status, Step.objects.count()))
        with self.assertRaises(WorkflowPruned):
            handle.refresh().result()
        for verb in (lambda: row(handle).resume(), lambda: row(handle).fork()):
            with self.assertRaises(WorkflowPruned):
                verb()
        self.assertTrue(row(handle).purge())

    def test_leave_their_children(self):
        """Unless those are asked for, too; then the bare row stays, since another run would take them for its own."""
        handle = branching.calls_a_child.using(id="order-7").start(1)
        run_until_idle()
        (child,) = branching.children_of(handle)
        done = row(handle).purge()
        again = branching.calls_a_child.using(id="order-7").start(1)

        self.assertEqual((True, True, "succeeded"), (done, row(again).is_bare, again.status))
        self.assertTrue(Workflow.objects.filter(pk=child).exists())
        self.assertEqual([1, 1], [Workflow.objects.filter(pk=each).purge() for each in (child, handle.id)])

    def test_are_all_gone_whatever_comes_first(self):
        """Children in a later batch than their parents, and the other way round."""
        for batch in (1, 2, 500):
            with self.subTest(batch=batch), mock.patch.object(workflow_queryset, "BATCH", batch):
                handle = ended(branching.nests, 3)
                (child,) = branching.children_of(handle)
                Workflow.objects.filter(parent=child).update(parent="0")
                Workflow.objects.filter(pk=child).update(id="0")
                count = Workflow.objects.purge()

                self.assertEqual((4, 0), (count, Workflow.objects.count()))

    def test_take_their_children_along(self):
        """However deep, as far as these have ended."""
        handle = ended(branching.nests, 3)
        count = Workflow.objects.filter(pk=handle.id).purge(children=True)

        self.assertEqual((4, 0), (count, Workflow.objects.count()))

    def test_leave_children_that_live(self):
        """And what is below them; so that the bare row stays."""
        handle = ended(branching.starts_and_goes, 2)
        done = row(handle).purge(children=True)
        left = Workflow.objects.values_list("status", "is_bare").order_by("line")

        self.assertEqual((True, [("succeeded", True), *[("waiting", False)] * 2]), (done, list(left)))

    def test_go_in_portions(self):
        """Long histories take several transactions; after the first one nobody can resume what is left."""
        handle = with_everything()
        with mock.patch.object(retention, "ROWS", 2):
            count = Workflow.objects.filter(pk=handle.id).purge()

        self.assertEqual((1, 0), (count, Step.objects.count()))

    def test_keep_what_was_interrupted(self):
        """Killed in the middle, the row stands as pruned, and the next purge takes it."""
        handle = with_everything()
        with mock.patch.object(retention, "ROWS", 2):
            retention.strip(Workflow.objects.all(), [handle.id])
        resumed = Workflow.objects.filter(pk=handle.id).resume()

        self.assertEqual((0, 1, 0), (resumed, Workflow.objects.purge(), Step.objects.count()))


class Delete(TestCase):
    def test_refuses_what_lives(self):
        """On the queryset and on the row; nothing at all is deleted then."""
        done = workflow_in("succeeded")
        for state in LIVE:
            with self.subTest(state=state):
                handle = workflow_in(state)
                for rows in (Workflow.objects.filter(pk__in=[done.id, handle.id]), row(handle)):
                    with self.assertRaises(ProtectedError) as caught:
                        rows.delete()

                    self.assertEqual({row(handle)}, caught.exception.protected_objects)
                self.assertEqual(2, Workflow.objects.filter(pk__in=[done.id, handle.id]).count())

    def test_refuses_what_has_not_let_go(self):
        """As purge() waits for it."""
        handle = workflow_in("running")
        row(handle).cancel()

        with self.assertRaisesMessage(ProtectedError, "its last attempt has not let go"):
            row(handle).delete()

    def test_takes_what_has_ended(self):
        """With all that it owns, and says how much that was."""
        handle = with_everything()
        count, kinds = Workflow.objects.filter(pk=handle.id).delete()

        self.assertEqual((1, 7), (kinds["durable_django.Workflow"], kinds["durable_django.Step"]))
        self.assertEqual(count, sum(kinds.values()))
