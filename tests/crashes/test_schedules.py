"""Schedules under real workers that are killed, whose database is away, whose clocks are wrong: every tick once."""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import datetime, timedelta
from unittest import skipUnless

from django.db import connections

from durable_django.base import hosts
from durable_django.base.clock import Now
from durable_django.models import Schedule, Workflow
from tests.crashes.harness import (
    LONG_LEASE,
    SHORT_LEASE,
    CrashTestCase,
    WorkerUnderTest,
    is_postgresql,
    wait_until,
)
from tests.postgres import server_to_restart
from tests.sample.scheduled import takes_nothing, ticks

SECOND = timedelta(seconds=1)


class ScheduleTestCase(CrashTestCase):
    name = "s"

    def make(self, cron: str = "* * * * * *", **columns: object) -> Schedule:
        given = {"name": self.name, "timezone": "UTC", "cron": cron, "workflow": ticks, **columns}
        return Schedule.objects.create(**given)

    def started(self) -> list[datetime]:
        """The ticks that have started a workflow, in order."""
        ids = Workflow.objects.of_schedule(self.name).values_list("pk", flat=True)
        return [datetime.fromisoformat(pk.removeprefix(f"schedule:{self.name}:")) for pk in ids]

    def wait_for_ticks(self, count: int) -> None:
        """Wait until so many more have come."""
        before = Workflow.objects.count()
        wait_until(lambda: Workflow.objects.count() >= before + count, f"{count} more ticks have come")

    def assert_every_tick_once(self, at_least: int) -> None:
        """From the first tick to the last, each second has one, whose workflow has run once."""
        self.wait_for_end()
        found = self.started()
        self.assertEqual([found[0] + SECOND * number for number in range(len(found))], found)
        self.assertGreaterEqual(len(found), at_least)
        self.assertEqual({1}, set(self.marks().values()))
        self.assertEqual(len(found), len(self.marks()))


class ATickEachSecond(ScheduleTestCase):
    def test_comes_once_while_workers_are_killed(self):
        """C8, C9: four workers evaluate each tick, and die all the time; `make stress` does more."""
        chance = random.Random(4711)
        workers = [self.start_worker("--threads", "2") for _number in range(4)]
        schedule = self.make()

        end = time.monotonic() + 12
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.2, 1.2))
            children = chance.choice(workers).children
            if children:
                os.kill(children[0], signal.SIGKILL)
        wait_until(lambda: Schedule.objects.filter(next_at__gt=Now()).exists(), "all that is due was fired")
        schedule.pause()

        self.assert_every_tick_once(at_least=10)

    def test_comes_once_if_a_worker_dies_in_the_transaction(self):
        """C9: between the start of the workflow and the move of the watermark."""
        moving = 'UPDATE "durable_django_schedule" SET .*"fired_until".*"next_at"'
        worker = self.start_worker(fault={"at": moving, "when": "before", "action": "kill"})
        child = worker.child
        schedule = self.make()

        wait_until(lambda: worker.children and child not in worker.children, "the worker has died and was replaced")
        self.wait_for_ticks(4)
        schedule.pause()

        self.assert_every_tick_once(at_least=4)

    @skipUnless(is_postgresql(), "SQLite has no server that could be away")
    def test_comes_late_if_the_database_is_away(self):
        """C6: what was due meanwhile is fired when the server is back, nothing twice."""
        server = server_to_restart()
        self.addCleanup(lambda: None if server.is_running else server.start())
        self.start_worker()
        schedule = self.make()
        self.wait_for_ticks(2)

        connections.close_all()
        server.stop("immediate")
        time.sleep(3)
        server.start()
        self.wait_for_ticks(6)
        schedule.pause()

        self.assert_every_tick_once(at_least=8)

    def test_comes_late_if_no_worker_lives(self):
        """C7: all workers are killed and started again some seconds later."""
        first = self.start_worker()
        schedule = self.make()
        self.wait_for_ticks(2)

        first.kill_all()
        time.sleep(3)
        self.start_worker()
        self.wait_for_ticks(5)
        schedule.pause()

        self.assert_every_tick_once(at_least=7)


class AFrozenWorker(ScheduleTestCase):
    def freezes(self, at: str, when: str) -> WorkerUnderTest:
        """Start a worker that freezes at a statement of its scheduler, and nobody minds."""
        victim = self.start_worker(settings=SHORT_LEASE, fault={"at": at, "when": when, "action": "stop"})
        victim.freeze_supervisor()
        return victim

    def assert_others_fire(self, victim: WorkerUnderTest) -> None:
        """Another worker fires every tick, also those that the frozen one had in its hands, and it adds nothing."""
        frozen = victim.child
        schedule = self.make()
        wait_until(lambda: hosts.is_stopped(frozen), "the process is frozen")
        self.start_worker()
        self.wait_for_ticks(4)
        victim.thaw()
        self.wait_for_ticks(2)
        self.assertEqual(0, victim.stop())
        schedule.pause()

        self.assert_every_tick_once(at_least=6)

    def test_that_knows_what_is_due_fires_nothing_twice(self):
        """It has looked, and looks again under the lock when it is thawed."""
        self.assert_others_fire(self.freezes('SELECT "durable_django_schedule"."id".*"workflow" IN', "after"))

    @skipUnless(is_postgresql(), "on SQLite a frozen writer holds the lock of the whole file")
    def test_in_the_transaction_holds_up_the_schedule_for_a_lease_at_most(self):
        """The server ends its session, which holds the lock of the row: what it had begun is gone, and fired again."""
        moving = 'UPDATE "durable_django_schedule" SET .*"fired_until".*"next_at"'
        self.assert_others_fire(self.freezes(moving, "before"))


class TwoReleases(ScheduleTestCase):
    name = "released"

    def start_release(self, cron: str) -> WorkerUnderTest:
        return self.start_worker(environment={"DURABLE_TEST_CRON": cron})

    def row(self) -> Schedule:
        return Schedule.objects.get(name=self.name)

    def test_fire_one_text_at_a_time(self):
        """That of the worker that booted last, whichever of them fires; each tick once, and none is owed twice."""
        self.row().resume()
        old = self.start_release("* * * * * *")
        self.wait_for_ticks(2)
        new = self.start_release("*/2 * * * * *")
        begin = self.row().fired_until
        self.wait_for_ticks(3)
        new.kill_all()
        self.wait_for_ticks(2)
        self.row().pause()
        self.wait_for_end()

        found = [tick for tick in self.started() if tick > begin]
        self.assertEqual(found, [found[0] + 2 * SECOND * number for number in range(len(found))])
        self.assertEqual({0}, {tick.second % 2 for tick in found})
        self.assertEqual(({1}, len(self.started())), (set(self.marks().values()), len(self.marks())))
        self.assertEqual(0, old.stop())

    def test_leave_an_operators_edit_alone(self):
        """Neither the old worker nor the new one that boots changes what somebody has edited."""
        self.start_release("0 0 1 1 *")
        Schedule.objects.filter(name=self.name).update(cron="*/2 * * * * *")
        self.start_release("0 0 2 1 *")
        row = self.row()

        self.assertEqual(("*/2 * * * * *", "0 0 2 1 *", True), (row.cron, row.declared["cron"], row.is_edited))


class AWorkerWithAWrongClock(ScheduleTestCase):
    def test_fires_when_the_database_says_so(self):
        """C1: one is ten minutes fast, one ten minutes slow; ticks come in their second."""
        for seconds in ("600", "-600"):
            self.start_worker(environment={"DURABLE_TEST_CLOCK": seconds})
        schedule = self.make()
        self.wait_for_ticks(4)
        schedule.pause()

        made = dict(Workflow.objects.of_schedule("s").values_list("pk", "created_at"))
        late = [made[f"schedule:s:{tick:%Y-%m-%dT%H:%M:%SZ}"] - tick for tick in self.started()]
        self.assertTrue(all(-timedelta(milliseconds=2) <= each < 5 * SECOND for each in late), late)
        self.assert_every_tick_once(at_least=4)


class AnEditedSchedule(ScheduleTestCase):
    def test_is_noticed_by_workers_that_run(self):
        """Made, edited, paused and resumed while they run: within a poll, or by a ring."""
        self.start_worker(settings={**LONG_LEASE, "POLL_SECONDS": 1})
        schedule = self.make("0 0 1 1 *", workflow=takes_nothing)
        self.assertEqual(0, Workflow.objects.count())

        schedule.cron = "* * * * * *"
        schedule.save()
        self.wait_for_ticks(2)
        schedule.pause()
        wait_until(lambda: Workflow.objects.count() == Workflow.objects.finished().count(), "all have ended")
        paused_at = self.started()[-1]
        time.sleep(2.5)
        during = self.started()[-1]
        schedule.resume()
        self.wait_for_ticks(2)

        self.assertEqual(paused_at, during)
