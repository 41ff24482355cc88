"""using(): the options of one start, and the order in which workflows get their turn."""

import uuid
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import AnonymousUser, User
from django.test import TestCase
from django.utils import timezone

from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import labels, row
from tests.sample.promises import declared_otherwise, describes_itself
from tests.sample.workflows import two_marks


class AConfiguredCopy(TestCase):
    def test_leaves_the_definition_as_it_was(self):
        """using() returns a copy; what is not given stays as it was."""
        copy = two_marks.using(priority=3).using(queue="second")

        self.assertEqual((3, "second"), (row(copy.start("a")).priority, row(copy.start("b")).queue))
        self.assertEqual((0, "default"), (row(two_marks.start("c")).priority, row(two_marks.start("d")).queue))

    def test_wins_over_the_decorator(self):
        """Queue, priority and timeout of using() stand before those of @workflow, zero priority too."""
        workflow = row(declared_otherwise.using(queue="default", priority=0, timeout=timedelta(minutes=1)).start("a"))

        self.assertEqual(("default", 0, 60), (workflow.queue, workflow.priority, workflow.timeout_seconds))


class ADelay(TestCase):
    def test_is_waited_for(self):
        """The workflow is QUEUED for later, and runs when its moment has come by the database's clock."""
        handle = two_marks.using(delay=timedelta(hours=1)).start("a")
        with travel(minutes=59):
            early = run_until_idle()
        with travel(minutes=61):
            run_until_idle()

        self.assertEqual(0, early)
        self.assertEqual("succeeded", row(handle).status)

    def test_of_zero_is_due_at_once(self):
        """delay=0 is no delay."""
        two_marks.using(delay=0).start("a")

        self.assertEqual(1, run_until_idle())

    def test_counts_from_the_start(self):
        """run_after is the database's now plus the delay, in seconds or as a timedelta."""
        for delay, seconds in ((90, 90), (0.5, 0.5), (timedelta(days=2), 172800)):
            workflow = row(two_marks.using(delay=delay).start("a"))
            with self.subTest(delay=delay):
                waits = (workflow.run_after - workflow.created_at).total_seconds()
                self.assertAlmostEqual(seconds, waits, delta=0.01)


class AMoment(TestCase):
    def test_is_waited_for(self):
        """run_after= keeps the instant, whatever its zone."""
        zone = timezone.get_fixed_timezone(330)
        moment = datetime(2090, 5, 1, 12, 0, 0, 123456, tzinfo=zone)
        handle = two_marks.using(run_after=moment).start("a")

        early = run_until_idle()

        self.assertEqual(0, early)
        self.assertEqual(moment, row(handle).run_after)
        self.assertEqual(UTC, row(handle).run_after.tzinfo)

    def test_in_the_past_is_due_at_once(self):
        """A moment that has passed delays nothing."""
        two_marks.using(run_after=timezone.now() - timedelta(days=1)).start("a")

        self.assertEqual(1, run_until_idle())


class TheOrder(TestCase):
    def run_and_read(self):
        run_until_idle()
        return [label.removesuffix("-atomic") for label in labels() if label.endswith("-atomic")]

    def test_is_by_priority_larger_first(self):
        """Priorities from -100 to 100 are served from the largest."""
        for priority in (0, -100, 100, 5):
            two_marks.using(priority=priority).start(str(priority))

        self.assertEqual(["100", "5", "0", "-100"], self.run_and_read())

    def test_is_first_in_first_out_within_one(self):
        """Equal priorities are served in the order of their starts, start_many() included."""
        two_marks.start("1")
        two_marks.start_many([("2",), ("3",)])
        two_marks.using(priority=0).start("4")

        self.assertEqual(["1", "2", "3", "4"], self.run_and_read())

    def test_is_not_lost_by_waiting(self):
        """A delayed workflow takes the place in line that it got at its start."""
        two_marks.using(delay=5).start("first")
        two_marks.start("second")
        with travel(seconds=6):
            served = self.run_and_read()

        self.assertEqual(["first", "second"], served)


class Attributes(TestCase):
    def test_can_be_queried(self):
        """They are JSON on the row, for the ORM."""
        handle = two_marks.using(attributes={"shop": "Köln", "lines": [1, 2], "total": 9.5}).start("a")
        two_marks.using(attributes={"shop": "Bonn"}).start("b")

        self.assertEqual(handle.id, Workflow.objects.get(attributes__shop="Köln").pk)
        self.assertEqual({"shop": "Köln", "lines": [1, 2], "total": 9.5}, row(handle).attributes)

    def test_are_known_to_the_workflow(self):
        """current_workflow().attributes shows them."""
        handle = describes_itself.using(attributes={"shop": 1}).start()

        run_until_idle()

        self.assertEqual({"shop": 1}, handle.result()["attributes"])

    def test_are_taken_as_they_are_at_the_call(self):
        """What the caller does to its dict afterwards changes nothing."""
        given = {"a": [1]}
        configured = two_marks.using(attributes=given)
        given["a"].append(2)

        self.assertEqual({"a": [1]}, row(configured.start("a")).attributes)


class AUser(TestCase):
    def test_is_known_to_the_workflow(self):
        """current_workflow().user is the user who started it, read when asked for."""
        user = User.objects.create(username="ann")
        handle = describes_itself.using(user=user).start()

        run_until_idle()

        self.assertEqual(str(user.pk), row(handle).started_by)
        self.assertEqual(user.pk, handle.result()["user"])

    def test_that_is_gone_is_none(self):
        """A deleted user, an anonymous one and none at all are None."""
        user = User.objects.create(username="ann")
        handles = [describes_itself.using(user=each).start() for each in (user, AnonymousUser(), None)]
        user.delete()

        run_until_idle()

        self.assertEqual([None, None, None], [handle.result()["user"] for handle in handles])

    def test_may_be_given_by_key(self):
        """A primary key will do, of whatever type."""
        key = uuid.UUID(int=7)

        self.assertEqual(str(key), row(two_marks.using(user=key).start("a")).started_by)
        self.assertEqual("7", row(two_marks.using(user=7).start("a")).started_by)


class ATimeout(TestCase):
    def test_counts_from_the_first_claim(self):
        """No deadline while it waits in its queue; from the claim on it is absolute."""
        handle = describes_itself.using(timeout=60).start()
        before = row(handle).deadline
        with travel(hours=1):
            run_until_idle()

        self.assertIsNone(before)
        self.assertTrue(handle.result()["has_deadline"])
        self.assertEqual(60, (row(handle).deadline - row(handle).started_at).total_seconds())


class WhatAWorkflowKnows(TestCase):
    def test_of_itself(self):
        """current_workflow() has id, name and attempt."""
        handle = describes_itself.using(id="order-7").start()

        run_until_idle()

        known = handle.result()
        self.assertEqual(("order-7", "sample.describes_itself", 1), (known["id"], known["name"], known["attempt"]))
        self.assertFalse(known["has_deadline"])
