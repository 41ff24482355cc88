"""Sends: in the caller's transaction, exactly once from workflows, and once from steps that run again the same way."""

import threading
from unittest import skipUnless

from asgiref.sync import async_to_sync
from django.db import IntegrityError, connection, connections, transaction
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import Message, OutsideWorkflow, WorkflowFinished, WorkflowNotFound
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models import Message as MessageRow
from durable_django.testing import crash_after, run_until_idle, travel
from tests.behaviour.states import claim, workflow_in
from tests.behaviour.support import acting, elsewhere, eventually, mailbox, row, steps, waiting
from tests.sample.promises import act, acts, acts_atomically, acts_itself
from tests.sample.talking import calls, receives, receives_many, sends


class ASendInATransaction(TransactionTestCase):
    def setUp(self):
        self.handle = waiting(receives)

    def test_that_is_rolled_back_never_happened(self):
        """E10: no message, nobody woken; a key is free again."""
        with self.assertRaises(LookupError), transaction.atomic():
            durable.send(self.handle.id, 1, idempotency_key="k")
            raise LookupError
        before = (mailbox(self.handle), row(self.handle).status)
        durable.send(self.handle.id, 2, idempotency_key="k")
        run_until_idle()

        self.assertEqual(([], "waiting"), before)
        self.assertEqual(2, self.handle.result())

    def test_is_seen_when_it_commits(self):
        """Nobody receives it before."""
        with transaction.atomic():
            durable.send(self.handle.id, 1)
            if connection.vendor == "postgresql":
                self.assertEqual([], elsewhere(lambda: mailbox(self.handle)))
        run_until_idle()

        self.assertEqual(1, self.handle.result())

    def test_that_fails_leaves_the_transaction_usable(self):
        """The errors come from a savepoint: what the block has written and writes later stays."""
        with transaction.atomic():
            first = receives.start("a")
            for message in (Message("nobody", 1), Message(workflow_in("failed").id, 1)):
                with self.assertRaises((WorkflowFinished, WorkflowNotFound)):
                    durable.send_many([message])
            durable.send(first.id, 2, "a")
        run_until_idle()

        self.assertEqual(2, first.result())

    def test_to_a_workflow_that_was_started_in_it(self):
        """Both are there, or neither."""
        with transaction.atomic():
            handle = receives.start()
            durable.send(handle.id, 1)
        with self.assertRaises(IntegrityError), transaction.atomic():
            lost = receives.start()
            durable.send(lost.id, 1)
            raise IntegrityError
        run_until_idle()

        self.assertEqual(1, handle.result())
        self.assertEqual(0, MessageRow.objects.filter(workflow=lost.id).count())


@skipUnless(connection.vendor == "postgresql", "SQLite has one writer: whoever waits for it waits for everything")
class ASendThatIsNotCommittedYet(TransactionTestCase):
    def setUp(self):
        self.handle = receives.start("", None)
        self.held = claim(self.handle)
        self.owner = Ownership("w")
        self.naps = []
        pause = self.owner.pause
        self.owner.pause = lambda seconds: self.naps.append(seconds) or pause(seconds)
        self.thread = threading.Thread(target=self.attempt)

    def attempt(self):
        attempts.attempt(self.held, self.owner, "default")
        connections.close_all()

    def start_attempt(self):
        self.thread.start()
        eventually(lambda: len(self.naps) > 3, "the receiver has asked again and again")

    def test_is_waited_for_without_a_lock(self):
        """The receiver asks again and again; when it is committed it gets the message."""
        with transaction.atomic():
            durable.send(self.handle.id, 1)
            self.start_attempt()
        self.thread.join(30)

        self.assertEqual(1, self.handle.result())

    def test_does_not_keep_a_worker_from_hearing_that_it_is_late(self):
        """One that has lost its lease lets go before the sender does."""
        with transaction.atomic():
            durable.send(self.handle.id, 1)
            self.start_attempt()
            self.owner.lose()
            self.thread.join(30)
            self.assertFalse(self.thread.is_alive())

        self.assertEqual("running", row(self.handle).status)

    def test_of_another_one_holds_up_nobody_else(self):
        """Only the receiver's own row is locked: its steps and others' messages go on."""
        other = receives.start("", None)
        with transaction.atomic():
            durable.send(self.handle.id, 1)
            elsewhere(lambda: durable.send(other.id, 2))

        self.assertEqual([2], mailbox(other))


class ASendFromAWorkflow(TestCase):
    def setUp(self):
        self.handle = waiting(receives_many, 5)

    def test_is_a_step(self):
        """Exactly once, in order; the row says who sent it."""
        sender = waiting(sends, self.handle.id, 1, 2)

        self.assertEqual(([1, 2], ["send", "send"]), (mailbox(self.handle), steps(sender)))
        self.assertEqual({sender.id}, set(MessageRow.objects.values_list("sender", flat=True)))

    def test_that_is_replayed_sends_nothing(self):
        """A recorded send is answered from its row."""
        handle = acts_itself.using(id="sender").start()
        with acting(lambda: (durable.send(self.handle.id, 1), durable.sleep(60))):
            run_until_idle()
            with travel(seconds=61):
                run_until_idle()

        self.assertEqual(([1], "succeeded"), (mailbox(self.handle), row(handle).status))

    def test_to_itself_is_received(self):
        """Mail is mail."""
        with acting(lambda: (durable.send("me", 1), durable.receive())):
            handle = acts_itself.using(id="me").start()
            run_until_idle()

        self.assertEqual((None, 1), handle.result())

    def test_that_fails_can_be_caught_and_is_recorded(self):
        """The same error at every replay, though the workflow exists by then."""
        with acting(lambda: [*calls(lambda: durable.send("later", 1)), durable.sleep(60)]):
            handle = acts_itself.start()
            run_until_idle()
            receives.using(id="later").start()
            with travel(seconds=61):
                run_until_idle()

        self.assertIsInstance(handle.result()[0], WorkflowNotFound)


class ASendFromAStep(TestCase):
    def setUp(self):
        self.handle = waiting(receives_many, 9)

    def send(self, *values):
        for value in values:
            durable.send(self.handle.id, value)

    def run_twice(self, definition, first, second):
        """Run a step that sends `first`, dies before it is recorded, and sends `second` in the next attempt."""
        handle = definition.start()
        with acting(lambda: self.send(*first)), crash_after(act, recorded=False):
            run_until_idle()
        with acting(lambda: self.send(*second)):
            run_until_idle()
        return handle

    def test_that_runs_again_the_same_way_sends_once(self):
        """Equal messages of one call are as many as they are."""
        handle = self.run_twice(acts, (1, 1, 2), (1, 1, 2))

        self.assertEqual(([1, 1, 2], "succeeded"), (mailbox(self.handle), row(handle).status))

    def test_that_runs_again_differently_neither_raises_nor_swallows(self):
        """What is new is sent, in whatever order; what was sent stays."""
        handle = self.run_twice(acts, (1, 2, 3), (4, 2, 1, 2))

        self.assertEqual(([1, 2, 3, 4, 2], "succeeded"), (mailbox(self.handle), row(handle).status))

    def test_that_runs_again_after_the_receiver_has_ended_succeeds(self):
        """The message was received, and its receiver may be gone: that is no error of the step."""
        receiver = waiting(receives)
        handle = acts.start()
        with acting(lambda: durable.send(receiver.id, 1)):
            with crash_after(act, recorded=False):
                run_until_idle()
            run_until_idle()

        self.assertEqual((1, "succeeded"), (receiver.result(), row(handle).status))

    def test_in_another_step_is_another_message(self):
        """Keys derive from the step's place."""
        for _ in range(2):
            with acting(lambda: self.send(1)):
                waiting(acts)

        self.assertEqual([1, 1], mailbox(self.handle))

    def test_that_is_atomic_is_part_of_its_transaction(self):
        """A body that fails has sent nothing."""

        def fail():
            self.send(1)
            raise LookupError

        with acting(fail):
            failed = waiting(acts_atomically)
        with acting(lambda: self.send(2)):
            waiting(acts_atomically)

        self.assertEqual(([2], "failed"), (mailbox(self.handle), row(failed).status))

    def test_that_is_async_is_the_same(self):
        """asend() in an async step, in an async workflow."""

        async def send():
            for value in (1, 2):
                await durable.asend(self.handle.id, value)

        with acting(lambda: async_to_sync(send)()):
            waiting(acts)

        self.assertEqual([1, 2], mailbox(self.handle))

    def test_can_not_be_received_in_a_step(self):
        """A step runs to its end in one piece: receive() is refused, even if there is mail."""
        handle = acts.using(id="me").start()
        durable.send("me", 1)
        with acting(durable.receive):
            run_until_idle()

        with self.assertRaisesMessage(OutsideWorkflow, "not inside a step"):
            handle.result()
        self.assertEqual(1, MessageRow.objects.filter(received_at__isnull=True).count())
