"""Retention among others: no tree is taken for a former one, and readers are told what is gone."""

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from durable_django import EventTimeout, WorkflowPruned, get_event, read_stream, send
from durable_django.api.streams import StreamReader
from durable_django.base.clock import FOR_EVER
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.retaining import ended, sweep
from tests.behaviour.support import row, waiting
from tests.sample.branching import children_of, starts_and_waits
from tests.sample.promises import takes_order
from tests.sample.talking import awaits_event, publishes_when_told, streams


class TheIdOfAParent(TestCase):
    def setUp(self):
        self.parent = starts_and_waits.using(id="order-7").start(1)
        run_until_idle()
        (self.child,) = children_of(self.parent)

    def test_is_not_free_before_those_of_its_children(self):
        """A new tree under the same ids would take the old child for its own, with the result of then."""
        Workflow.objects.filter(pk=self.child).update(retention_seconds=FOR_EVER)
        sweep(days=31)
        swept = sweep(days=400)

        self.assertEqual(0, swept)
        self.assertEqual("succeeded", starts_and_waits.using(id="order-7").start(1).status)

    def test_is_free_together_with_them(self):
        """A tree goes from its leaves on."""
        sweep(days=31)
        swept = sweep(days=400) + sweep(days=400)

        self.assertEqual((2, 0), (swept, Workflow.objects.count()))

    def test_does_not_wait_for_the_end_of_a_chain(self):
        """Each started the next one, for years: a link goes when the next one has expired, not behind the last one."""
        Workflow.objects.all().delete()
        long_ago = timezone.now() - timedelta(days=400)
        bare = {"steps": 0, "at": long_ago, "is_bare": True, "pruned_at": long_ago}
        (first,) = ended(1, **bare)
        (second,) = ended(1, **bare, parent_id=first)
        (third,) = ended(1, parent_id=second)
        sweep()

        self.assertEqual([second, third], list(Workflow.objects.order_by("pk").values_list("pk", flat=True)))


class TheEventOfOneThatHasEnded(TestCase):
    def setUp(self):
        self.publisher = waiting(publishes_when_told, "state", "paid")

    def publish(self):
        for _time in range(2):
            send(self.publisher.id, "go on")
            run_until_idle()

    def test_stays_for_one_that_was_paused_while_it_waited(self):
        """It looks when it is resumed."""
        reader = waiting(awaits_event, self.publisher.id, "state", None)
        row(reader).pause()
        self.publish()
        before = sweep(days=31)
        row(reader).resume()
        run_until_idle()

        self.assertEqual((0, "paid"), (before, reader.refresh().result()))
        self.assertEqual(2, sweep(days=31))

    def test_stays_for_nobody_who_waits_for_another(self):
        """Whose id only begins like it."""
        takes_order.using(id=f"{self.publisher.id}-2").start(7)
        reader = waiting(awaits_event, self.publisher.id, "state", None)
        row(reader).pause()

        self.assertEqual(1, sweep(days=31))

    def test_is_said_to_be_gone_when_it_is(self):
        """Not, that it was never set; in a workflow and elsewhere."""
        self.publish()
        sweep(days=31)
        reader = waiting(awaits_event, self.publisher.id, "state", None)

        for ask in (lambda: get_event(self.publisher.id, "state"), reader.result):
            with self.assertRaisesMessage(EventTimeout, "its retention is over"):
                ask()
        self.assertEqual("unknown", get_event(self.publisher.id, "state", default="unknown"))


class TheStreamOfOneThatHasEnded(TestCase):
    def test_is_said_to_be_gone_when_it_is(self):
        """A reader that has read a part of it does not take that for the whole."""
        writer = waiting(streams, "log", 1, 2)
        reader = StreamReader(writer.id, "log", 0, None)
        reader.look()
        sweep(days=31)

        for ask in (reader.look, lambda: list(read_stream(writer.id, "log"))):
            with self.assertRaises(WorkflowPruned):
                ask()
