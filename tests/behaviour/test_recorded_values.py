"""now(), uuid4() and random(): recorded when first asked for, hence the same at every replay."""

from datetime import datetime, timedelta
from unittest import mock
from uuid import UUID

from django.test import TestCase, override_settings
from django.utils import timezone

import durable_django as durable
from durable_django import OutsideWorkflow
from durable_django.models import Step
from durable_django.testing import crash_before, run_until_idle, travel
from tests.behaviour.support import acting, steps, waiting
from tests.sample.branching import asks_for_values, mark
from tests.sample.looping import amark, asks_for_values_async
from tests.sample.promises import acts, acts_itself

KINDS = {"now": datetime, "uuid4": UUID, "random": float}


class ARecordedValue(TestCase):
    def test_is_the_same_at_every_replay(self):
        """Whatever the clock and the dice say by then; in workflows of both kinds."""
        for definition, step in ((asks_for_values, mark), (asks_for_values_async, amark)):
            seen = []
            with crash_before(step, times=2):
                handle = waiting(definition)
                recorded = dict(Step.objects.filter(workflow=handle.id, kind="value").values_list("name", "output"))
                with travel(days=1):
                    run_until_idle()
                    run_until_idle()
                seen.append(recorded)

            values = handle.refresh().result()
            with self.subTest(definition=definition.name):
                self.assertEqual(KINDS, {name: type(value) for name, value in values.items()})
                self.assertEqual(
                    seen, [dict(Step.objects.filter(workflow=handle.id, kind="value").values_list("name", "output"))]
                )
                self.assertLess(values["now"], timezone.now())

    def test_takes_a_place(self):
        """As a step does."""
        handle = waiting(asks_for_values)

        self.assertEqual(["now", "uuid4", "random", "mark"], steps(handle))

    def test_of_now_is_a_moment(self):
        """Aware or naive as USE_TZ says, and moved by travel()."""
        with travel(hours=5):
            aware = waiting(asks_for_values).result()["now"]
        with override_settings(USE_TZ=False):
            naive = waiting(asks_for_values).result()["now"]

        self.assertLess(abs(aware - timezone.now() - timedelta(hours=5)), timedelta(minutes=1))
        self.assertIsNone(naive.tzinfo)

    def test_of_random_is_from_zero_to_one(self):
        """random() is that of Python."""
        with mock.patch("random.random", return_value=0.25):
            found = waiting(asks_for_values).result()["random"]

        self.assertTrue(0 <= found < 1)

    def test_differs_from_call_to_call(self):
        """Each call is asked for on its own."""
        with acting(lambda: [durable.uuid4() for _ in range(5)]):
            handle = waiting(acts_itself)

        self.assertEqual(5, len(set(handle.result())))

    def test_in_a_step_is_part_of_the_step(self):
        """It is recorded with its result."""
        with acting(lambda: [durable.now(), durable.uuid4(), durable.random()]):
            handle = waiting(acts)

        self.assertEqual([datetime, UUID, float], [type(each) for each in handle.result()])
        self.assertEqual(["mark_atomically", "act", "mark"], steps(handle))

    def test_outside_of_a_workflow_is_refused(self):
        """Nothing would record it: use Python's own."""
        for call in (durable.now, durable.uuid4, durable.random, durable.anow, durable.auuid4, durable.arandom):
            with self.subTest(call=call.__name__), self.assertRaises(OutsideWorkflow):
                call()
