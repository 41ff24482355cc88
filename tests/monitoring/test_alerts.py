"""worker/alerts.py: what is wrong with the whole system is told once, whoever looks, and however often."""

import logging
from unittest import mock

from django.test import override_settings

from durable_django import signals
from durable_django.base import clock
from durable_django.models import Incident, Queue, Schedule, Worker, Workflow
from durable_django.models.worker import WorkerQuerySet
from durable_django.testing import run_until_idle, travel
from durable_django.worker import alerts
from durable_django.worker.alerts import Alerts, tell_of_lost_workers
from tests.behaviour.scheduling import make
from tests.behaviour.states import workflow_in
from tests.monitoring.support import MonitoringTestCase, alive
from tests.rooms.test_signals import heard
from tests.sample.queued import begins, fails_at_once

ALERTS = ("queue_delayed", "schedule_broken", "worker_lost", "workflows_failing")

#: Where each alert says what it is about.
_SUBJECTS = ("queue", "schedule", "worker_id", "name")


class Killed(BaseException):
    """What ends a process: no handler sees it."""


class AlertsTestCase(MonitoringTestCase):
    def told(self, **parts):
        """Let two workers look, so much later. Return the alerts that were sent, with their facts."""
        with travel(**parts), heard() as seen:
            Alerts("default").look()
            Alerts("default").look()
        return [(name, {**facts, "sender": None}) for name in ALERTS for facts in seen.get(name, ())]


class ADelayedQueue(AlertsTestCase):
    def test_is_told_of_once(self):
        """By whoever looks first, and not again while it stays so; again when it comes back."""
        begins.start("a")
        early = self.told(seconds=200)
        ((name, facts),) = self.told(seconds=310)
        still = self.told(seconds=400)
        Workflow.objects.update(status="succeeded")
        over = self.told(seconds=600)
        Workflow.objects.update(status="queued")
        again = self.told(seconds=620)

        self.assertEqual(([], [], []), (early, still, over))
        self.assertEqual(("queue_delayed", "single"), (name, facts["queue"]))
        self.assertTrue(310 <= facts["delay_seconds"] < 340)
        self.assertEqual(["queue_delayed"], [name for name, _facts in again])

    def test_is_not_over_while_it_comes_and_goes(self):
        """About at the limit it is one incident, not one each quarter of a minute."""
        begins.start("a")
        self.told(seconds=310)
        Workflow.objects.update(status="succeeded")
        self.told(seconds=340)
        Workflow.objects.update(status="queued")

        self.assertEqual([], self.told(seconds=370))
        self.assertEqual(1, Incident.objects.open().count())

    def test_is_one_in_which_nothing_stands_but_suspects(self):
        """They must run alone, and wait for an idle worker; of a paused one nobody is told."""
        begins.start("a")
        begins.using(queue="three").start("b")
        Workflow.objects.update(recoveries=5)
        Queue.objects.filter(pk="three").pause()

        self.assertEqual(["single"], [facts["queue"] for _name, facts in self.told(seconds=310)])

    @override_settings(DURABLE_DJANGO={"QUEUE_DELAY_SECONDS": 10})
    def test_is_one_beyond_the_limit_of_the_settings(self):
        """For all queues."""
        begins.start("a")

        self.assertEqual(["queue_delayed"], [name for name, _facts in self.told(seconds=20)])


class ABrokenSchedule(AlertsTestCase):
    def test_is_told_of_once(self):
        """With the reason; one that is paused is nobody's worry."""
        make()
        make(name="paused", is_paused=True)
        Schedule.objects.write(error="ValueError: no")

        told = self.told()
        again = self.told(seconds=1000)

        self.assertEqual([("schedule_broken", {"sender": None, "schedule": "s", "reason": "ValueError: no"})], told)
        self.assertEqual([], again)


class ALostWorker(AlertsTestCase):
    def test_is_told_of_once(self):
        """When its lease has passed, on whatever machine it was."""
        alive("far", 30, hostname="far", pid=7)
        early = self.told(seconds=20)
        late = self.told(seconds=31)

        self.assertEqual([], early)
        self.assertEqual([("worker_lost", {"sender": None, "worker_id": "far", "hostname": "far", "pid": 7})], late)

    def test_is_not_one_that_has_ended_its_lease(self):
        """Nor a web process, which ends when its server wants."""
        alive("ended", 30)
        Worker.objects.filter(pk="ended").end()
        alive("web", 30, takes_slots=False)
        # Of older code, which does not say that it ends.
        alive("older", 30)
        Worker.objects.filter(pk="older").update(is_up=False)

        self.assertEqual([], self.told(seconds=60))

    def test_is_told_of_by_who_finds_it_dead(self):
        """At once; whoever looks later does not."""
        alive("gone", 30, hostname="here", pid=7)
        Worker.objects.expire()
        with heard() as seen:
            tell_of_lost_workers("default")

        self.assertEqual(["gone"], [facts["worker_id"] for facts in seen["worker_lost"]])
        self.assertEqual([], self.told(seconds=61))

    def test_is_told_of_though_who_told_has_died_before_it_could_note_that(self):
        """Then it is not told of again, and it is not looked at for ever."""
        alive("far", 30)
        dies = mock.patch.object(WorkerQuerySet, "give_up", side_effect=Killed)
        with travel(seconds=31), dies, heard() as seen, self.assertRaises(Killed):
            Alerts("default").look()

        self.assertEqual((1, []), (len(seen["worker_lost"]), self.told(seconds=100)))
        self.assertFalse(Worker.objects.get().is_up)


class TroubleOfAnotherProject(AlertsTestCase):
    """Several projects share the tables; whoever has the turn looks at the rows of all."""

    def test_is_told_of_by_who_has_the_turn(self):
        """Once, under its own names, though this process has no code of them."""
        workflow_in("failed")
        Workflow.objects.update(name="bakery.bake", queue="ovens", application="bakery")
        Queue.objects.create(name="ovens")
        begins.using(id="late").start("a")
        Workflow.objects.filter(pk="late").update(name="bakery.bake", queue="ovens", application="bakery")
        make(name="bakery-morning", workflow="bakery.bake", application="bakery")
        Schedule.objects.write(error="ValueError: no")
        alive("b", 30, hostname="oven-1", application="bakery")

        told = self.told(seconds=310)
        again = self.told(seconds=330)

        names = {name: next(facts[key] for key in _SUBJECTS if key in facts) for name, facts in told}
        self.assertEqual(
            {
                "queue_delayed": "ovens",
                "schedule_broken": "bakery-morning",
                "worker_lost": "b",
                "workflows_failing": "bakery.bake",
            },
            names,
        )
        self.assertEqual((4, []), (len(told), again))


class ATellerThatDies(AlertsTestCase):
    def dies_telling(self, name, **parts):
        """Let a worker die between the row of an incident and the signal."""
        dies = mock.patch.object(getattr(signals, name), "send_robust", side_effect=Killed)
        with travel(**parts), dies, self.assertRaises(Killed):
            Alerts("default").look()

    def test_before_it_has_sent_is_followed_by_another(self):
        """A minute later, once."""
        begins.start("a")
        self.dies_telling("queue_delayed", seconds=310)

        told = [[name for name, _facts in self.told(seconds=seconds)] for seconds in (330, 375, 400)]
        self.assertEqual([[], ["queue_delayed"], []], told)

    def test_of_a_lost_worker_is_followed_too(self):
        """The row of the worker waits for it."""
        alive("far", 30)
        self.dies_telling("worker_lost", seconds=31)

        told = [[name for name, _facts in self.told(seconds=seconds)] for seconds in (50, 95, 110)]
        self.assertEqual([[], ["worker_lost"], []], told)


class AReceiver(AlertsTestCase):
    def test_that_fails_harms_nobody(self):
        """Neither the other receivers nor the other alerts; it is not called again for the same incident."""
        called = []

        def broken(queue, **_facts):
            called.append(queue)
            raise ValueError

        signals.queue_delayed.connect(broken, dispatch_uid="test.broken")
        self.addCleanup(signals.queue_delayed.disconnect, dispatch_uid="test.broken")
        begins.start("a")
        make()
        Schedule.objects.write(error="ValueError: no")
        with self.assertLogs("django.dispatch", logging.ERROR):
            told = [name for name, _facts in self.told(seconds=310)]

        self.assertEqual((["queue_delayed", "schedule_broken"], []), (told, self.told(seconds=400)))
        self.assertEqual(["single"], called)


class FailingWorkflows(AlertsTestCase):
    def test_are_told_of_once_for_each_name(self):
        """However many fail; again when there was quiet in between."""
        fails_at_once.start_many([("a",), ("b",), ("c",)])
        workflow_in("failed")
        run_until_idle()

        told = {facts["name"]: facts["count"] for _name, facts in self.told()}
        with travel(seconds=60):
            fails_at_once.start("d")
            run_until_idle()
        more = self.told(seconds=61)
        self.told(seconds=1000)
        with travel(seconds=2000):
            fails_at_once.start("e")
            run_until_idle()
        again = self.told(seconds=2001)

        self.assertEqual(3, told["sample.fails_at_once"])
        self.assertEqual((2, []), (len(told), more))
        self.assertEqual([("sample.fails_at_once", 1)], [(facts["name"], facts["count"]) for _name, facts in again])

    def test_are_found_by_an_index_of_their_own(self):
        """The worker that failed them may have died before it could tell."""
        with mock.patch.object(signals.workflow_failed, "send_robust"):
            workflow_in("failed")

        self.assertEqual(["workflows_failing"], [name for name, _facts in self.told()])

    def test_are_found_behind_many_of_another_name(self):
        """However many of those fail."""
        workflow_in("failed")
        fails_at_once.start_many([("a",), ("b",), ("c",)])
        run_until_idle()

        with mock.patch.object(alerts, "_MOST", 2):
            told = {facts["name"] for _name, facts in self.told()}

        self.assertEqual(2, len(told), told)


class TheLook(AlertsTestCase):
    def test_is_that_of_one_worker(self):
        """Each asks now and then whether it is its turn."""
        now, pause = [1000.0], alerts._EVERY_SECONDS + 1
        spread = mock.patch.object(alerts.random, "random", side_effect=(0.1, 0.5, 0.9))
        clocks = mock.patch.object(clock, "elapsed_seconds", lambda: now[0])
        with spread, clocks, mock.patch.object(Alerts, "look") as looked:
            workers = [Alerts("default") for _number in range(3)]
            counts = []
            for seconds in (0, pause, pause):
                now[0] += seconds
                for each in workers:
                    with travel(seconds=now[0] - 1000):
                        each.look_when_due()
                counts.append(looked.call_count)

        self.assertEqual([0, 1, 2], counts)
