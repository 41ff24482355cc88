"""Messages: sent by anybody, in order, each received by exactly one receive(), whose answer is recorded."""

from datetime import timedelta

from django.db import transaction
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import Message, OutsideWorkflow, ReceiveTimeout, WorkflowFinished, WorkflowNotFound
from durable_django.models import Message as MessageRow
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.states import ENDED, LIVE, workflow_in
from tests.behaviour.support import acting, labels, mailbox, row, steps, waiting
from tests.sample import talking
from tests.sample.promises import acts_itself
from tests.sample.talking import receives, receives_many


class AReceive(TestCase):
    def test_gives_the_thread_back(self):
        """The workflow waits for its topic, and belongs to no worker."""
        handle = waiting(receives, "a")

        found = row(handle)
        self.assertEqual(("waiting", "message:a", None), (found.status, found.waiting_for, found.worker))

    def test_is_woken_by_its_message(self):
        """The value comes as it was sent, in type and content."""
        for value in ({"x": (1, {2}), "y": timedelta(days=1)}, None, "\0\ud800", float("inf")):
            with self.subTest(value=value):
                handle = waiting(receives, "a")
                durable.send(handle.id, value, "a")
                woken = row(handle).status
                run_until_idle()

                self.assertEqual(("queued", value), (woken, handle.result()))

    def test_finds_what_came_before_it_asked(self):
        """A workflow that was not even begun has a mailbox."""
        handle = receives.start("a")
        durable.send(handle.id, 1, "a")

        run_until_idle()

        self.assertEqual((1, 1), (handle.result(), row(handle).attempt))

    def test_gets_its_own_topic_only(self):
        """Mail on others wakes nobody, and waits; topics differ by case, by blanks and by accents."""
        handle = waiting(receives, "topic a")
        others = ("", "topic b", "Topic a", "topic a ", "topic\u00e0", "topic a\u0300", "x" * 255)
        for topic in others:
            durable.send(handle.id, topic, topic)
        asleep = row(handle).status
        durable.send(handle.id, "mine", "topic a")
        run_until_idle()

        self.assertEqual(("waiting", "mine"), (asleep, handle.result()))
        self.assertEqual(len(others), MessageRow.objects.filter(received_at__isnull=True).count())

    def test_may_have_a_long_topic(self):
        """H13: 255 characters are allowed, also of four bytes each."""
        for topic in ("x" * 255, "\U0001f600" * 255):
            handle = waiting(receives, topic)
            durable.send(handle.id, 1, topic)
            run_until_idle()
            self.assertEqual(1, handle.result())

    def test_takes_one_message_each(self):
        """First in, first out; the rows say which call has which."""
        handle = waiting(receives_many, 3)
        durable.send_many(Message(handle.id, number) for number in range(5))

        run_until_idle()

        self.assertEqual([0, 1, 2], handle.result())
        rows = MessageRow.objects.order_by("id").values_list("received_position", flat=True)
        self.assertEqual([1, 2, 3, None, None], list(rows))

    def test_in_branches_gets_one_each(self):
        """E9: of one topic, or of several; nobody gets what is another's."""
        handle = waiting(talking.receives_in_branches, "a", "a", "b")
        before = row(handle).waiting_for
        for value, topic in ((1, "b"), (2, "a"), (3, "a")):
            durable.send(handle.id, value, topic)
            run_until_idle()

        self.assertEqual(("*", [2, 3, 1]), (before, handle.result()))

    def test_in_branches_of_one_topic_is_woken_for_that_topic(self):
        """Mail on another one wakes nobody."""
        handle = waiting(talking.receives_in_branches, "a", "a")
        durable.send(handle.id, 0, "b")
        asleep = row(handle).status
        for value in (1, 2):
            durable.send(handle.id, value, "a")
            run_until_idle()

        self.assertEqual(("waiting", [1, 2]), (asleep, handle.result()))

    def test_in_an_async_workflow_is_the_same(self):
        """areceive() and asend()."""
        handle = waiting(talking.receives_async, "")
        waiting(talking.sends_async, handle.id, 5)

        self.assertEqual(5, handle.result())

    def test_is_answered_from_its_row(self):
        """A replay finds the same message, and leaves the next one alone."""
        handle = waiting(receives_many, 2)
        durable.send(handle.id, 1)
        run_until_idle()
        durable.send(handle.id, 2)
        run_until_idle()

        self.assertEqual(([1, 2], 3), (handle.result(), row(handle).attempt))


class AReceiveThatTimesOut(TestCase):
    def test_raises_when_its_time_is_over(self):
        """By the database's clock, from the first time that the workflow got there."""
        handle = waiting(receives, "a")
        Workflow.objects.filter(pk=handle.id).wake()
        with travel(seconds=20):
            run_until_idle()
        before = row(handle).status
        with travel(seconds=61):
            run_until_idle()

        self.assertEqual("waiting", before)
        with self.assertRaisesMessage(ReceiveTimeout, "No message on topic 'a' came within 60.0 s."):
            handle.result()

    def test_returns_its_default_if_it_has_one(self):
        """None is one, too; nothing is raised."""
        with acting(lambda: [durable.receive("a", timeout, default=None) for timeout in (0, 60, timedelta(days=3))]):
            handle = waiting(acts_itself)
            for days in (1, 5):
                with travel(days=days):
                    run_until_idle()

        self.assertEqual([None] * 3, handle.result())

    def test_stays_timed_out(self):
        """E5: what comes later is for the next one."""
        handle = waiting(talking.receives_at_last)
        with travel(seconds=61):
            run_until_idle()
            durable.send(handle.id, 1)
            run_until_idle()

        self.assertEqual([None, 1], handle.result())

    def test_prefers_a_message_that_is_there(self):
        """However late it looks."""
        handle = waiting(receives, "", 60)
        Workflow.objects.filter(pk=handle.id).update(waiting_for="nothing")
        durable.send(handle.id, 1)

        with travel(seconds=100):
            run_until_idle()

        self.assertEqual(1, handle.result())

    def test_never_if_it_waits_for_ever(self):
        """timeout=None has no moment at which it would look."""
        handle = waiting(receives, "", None)
        with travel(days=1000):
            run_until_idle()

        self.assertEqual(("waiting", None), (row(handle).status, row(handle).run_after))

    def test_at_once_if_it_only_looks(self):
        """timeout=0: one attempt, one row."""
        handle = waiting(receives, "", 0)

        self.assertEqual(("failed", 1, ["receive"]), (row(handle).status, row(handle).attempt, steps(handle)))


class AnIdempotencyKey(TestCase):
    def setUp(self):
        self.handle = waiting(receives_many, 2)

    def test_counts_once_for_each_destination(self):
        """E11: whoever repeats it, the first one stays, received or not."""
        other = receives.start()
        for handle in (self.handle, self.handle, other):
            durable.send(handle.id, 1, idempotency_key="k")
        run_until_idle()
        durable.send(self.handle.id, 2, idempotency_key="k")
        durable.send(self.handle.id, 3, idempotency_key="K")
        run_until_idle()

        self.assertEqual(([1, 3], 1), (self.handle.result(), other.result()))

    def test_counts_within_one_batch(self):
        """The second one of the same key is dropped."""
        durable.send_many(Message(self.handle.id, number, idempotency_key="k") for number in (1, 2))

        self.assertEqual([1], mailbox(self.handle))

    def test_counts_after_the_end(self):
        """Who repeats what was received hears no error; what is new is refused."""
        for number in (1, 2):
            durable.send(self.handle.id, number, idempotency_key=str(number))
        run_until_idle()

        durable.send(self.handle.id, 2, idempotency_key="2")

        with self.assertRaises(WorkflowFinished):
            durable.send(self.handle.id, 3, idempotency_key="3")
        self.assertEqual([1, 2], mailbox(self.handle))

    def test_may_be_long(self):
        """255 printable characters."""
        for _ in range(2):
            durable.send(self.handle.id, 1, idempotency_key="\U0001f600" * 255)

        self.assertEqual([1], mailbox(self.handle))


class AMessageToAWorkflow(TestCase):
    def test_that_is_live_is_kept(self):
        """E7: queued, running, waiting for something else, paused."""
        for state in LIVE:
            handle = workflow_in(state)
            before = row(handle).status
            with self.subTest(state=state):
                durable.send(handle.id, 1)
                self.assertEqual(([1], before), (mailbox(handle), row(handle).status))

    def test_that_is_paused_is_received_when_it_goes_on(self):
        """Mail keeps arriving."""
        handle = waiting(receives)
        row(handle).pause()
        durable.send(handle.id, 1)
        run_until_idle()
        paused = row(handle).status
        row(handle).resume()
        run_until_idle()

        self.assertEqual(("paused", 1), (paused, handle.result()))

    def test_that_has_ended_is_refused(self):
        """E7: never silently accepted and lost; the error says how it ended."""
        for state in ENDED:
            handle = workflow_in(state)
            with self.subTest(state=state), self.assertRaisesMessage(WorkflowFinished, f"({state})") as caught:
                durable.send(handle.id, 1)
            self.assertEqual(handle.id, caught.exception.workflow_id)
            self.assertEqual([], mailbox(handle))

    def test_that_does_not_exist_is_refused(self):
        """E7: never started, or rolled back with its start."""
        with self.assertRaises(WorkflowNotFound) as caught:
            durable.send("order-7", 1)

        self.assertEqual("order-7", caught.exception.workflow_id)

    def test_is_refused_as_a_batch(self):
        """One bad destination, and none gets anything."""
        handle, ended = waiting(receives), workflow_in("failed")
        for bad in (ended.id, "order-7"):
            with self.assertRaises((WorkflowFinished, WorkflowNotFound)):
                durable.send_many([Message(handle.id, 1), Message(bad, 1), Message(handle.id, 2)])

        self.assertEqual(([], "waiting"), (mailbox(handle), row(handle).status))

    def test_with_bad_parts_is_refused_before_anything_is_written(self):
        """Topics, keys, ids and values; H7, H13."""
        handle = waiting(receives)
        good = {"workflow_id": handle.id, "value": 1}
        for kind, changes in (
            (ValueError, {"topic": "x" * 256}),
            (ValueError, {"topic": "a\nb"}),
            (ValueError, {"topic": "\0"}),
            (ValueError, {"topic": "\ud800"}),
            (TypeError, {"topic": 5}),
            (TypeError, {"topic": None}),
            (ValueError, {"idempotency_key": ""}),
            (ValueError, {"idempotency_key": "x" * 256}),
            (TypeError, {"idempotency_key": 5}),
            (ValueError, {"workflow_id": ""}),
            (TypeError, {"workflow_id": handle}),
            (durable.NotSerializable, {"value": lambda: 1}),
            (durable.PayloadTooLarge, {"value": "x" * 1024 * 1024}),
        ):
            with self.subTest(changes=str(changes)[:40]), self.assertRaises(kind):
                durable.send(**{**good, **changes})
        for topic in ("x" * 256, 5, "a\nb"):
            with self.assertRaises((TypeError, ValueError)):
                durable.receive(topic)

        self.assertEqual([], mailbox(handle))


class AMessageThatCannotBeRead(TestCase):
    def test_pauses_its_receiver_with_the_reason(self):
        """H16: written by other hands; when it is mended and the workflow resumed, it is received."""
        handle = waiting(receives)
        durable.send(handle.id, 1)
        MessageRow.objects.update(value="no JSON")
        run_until_idle()
        paused = row(handle)
        handle.workflow.steps.update(output="2")
        row(handle).resume()
        run_until_idle()

        self.assertEqual("paused", paused.status)
        self.assertIn("cannot be read", paused.reason)
        self.assertEqual(2, handle.result())


class AReceiveInTheWrongPlace(TransactionTestCase):
    def test_is_refused_outside_a_workflow(self):
        """There is no mailbox."""
        with self.assertRaisesMessage(OutsideWorkflow, "receive() can only be used inside a workflow"):
            durable.receive()

    def test_is_refused_inside_a_transaction(self):
        """E15: at once, though a message is there."""

        def body():
            with transaction.atomic():
                durable.receive()

        handle = acts_itself.using(id="me").start()
        durable.send("me", 1)
        with acting(body):
            run_until_idle()

        with self.assertRaises(durable.InsideTransaction):
            handle.result()
        self.assertEqual((["before"], ["mark_atomically"]), (labels(), steps(handle)))
