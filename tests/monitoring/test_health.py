"""monitoring/health.py: what is wrong is found and named; what is only slow for a moment is not."""

from unittest import mock

from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from durable_django.base.clock import Later
from durable_django.models import Queue, Schedule, Worker, Workflow
from durable_django.monitoring import applied, health
from durable_django.testing import travel
from tests.behaviour.scheduling import make
from tests.behaviour.states import claim, workflow_in
from tests.behaviour.support import statements
from tests.monitoring.support import MonitoringTestCase, alive, problems
from tests.sample.promises import takes_order
from tests.sample.queued import begins


class WhenAllIsWell(MonitoringTestCase):
    def test_nothing_is_found(self):
        """Work, a worker for it, and all within the limits."""
        alive()
        takes_order.start(1)
        begins.using(delay=3600).start("later")

        self.assertEqual({}, problems())

    def test_nothing_needs_no_worker(self):
        """A project without work, or whose queue is paused, is as healthy without one."""
        begins.start("a")
        Queue.objects.filter(pk="single").pause()

        self.assertEqual({}, problems())

    def test_every_check_is_named(self):
        """Those that have found nothing, too."""
        names = [each.check for each in health.examine(health.Thresholds.of_settings())]

        self.assertEqual(
            ["database", "migrations", "workers", "queues", "leases", "schedules", "deadlines", "code"], names
        )

    def test_the_cost_is_a_few_queries(self):
        """However much there is."""
        alive()
        begins.start_many([(str(number),) for number in range(50)])
        problems()
        with statements() as seen:
            problems()

        self.assertLessEqual(len(seen), 8, seen)


class WorkWithoutAWorker(MonitoringTestCase):
    def test_is_found(self):
        """Nobody claims from the queue: the others do not help."""
        begins.start("a")
        alive(queues=["default", "three"])
        alive("web", takes_slots=False)
        alive("leaving", is_draining=True)

        (problem,) = problems()["workers"]

        self.assertEqual(
            "Queue single has work, and no live worker claims from it. Start one: manage.py worker", problem
        )

    def test_is_served_by_a_worker_of_its_queue_or_of_all(self):
        """Whichever lives."""
        begins.start("a")
        alive("dead", -1)
        without = problems()
        alive(queues=["single"])

        self.assertEqual((["workers"], {}), (list(without), problems()))

    def test_is_found_also_while_it_is_only_due(self):
        """What no worker makes runnable is work, too, once the grace is over."""
        begins.using(delay=10).start("a")
        with travel(seconds=60):
            early = problems()
        with travel(seconds=80):
            late = problems()

        self.assertEqual(({}, ["workers"]), (early, list(late)))


class ADelay(MonitoringTestCase):
    def setUp(self):
        super().setUp()
        alive()

    def test_is_found_when_the_limit_has_passed(self):
        """By the oldest of those that stand in line."""
        begins.start("a")
        with travel(seconds=200):
            begins.start("b")
            early = problems()
        with travel(seconds=310):
            late = problems()

        self.assertEqual({}, early)
        self.assertRegex(late["queues"][0], r"^Queue single is delayed: .* for 5 min 1\d s \(> 5 min 0 s\)\.$")

    def test_begins_when_its_moment_has_come(self):
        """Not when it was started: a workflow that sleeps for a month is not late when it wakes."""
        begins.using(delay=1000).start("a")
        with travel(seconds=1200):
            Workflow.objects.promote()
            early = problems()
        with travel(seconds=1310):
            late = problems()

        self.assertEqual(({}, ["queues"]), (early, list(late)))

    def test_begins_when_it_was_rescheduled(self):
        """Not when it was started; to do it again is no way to hide a delay."""
        handle = begins.using(delay=10**6).start("a")
        with travel(seconds=1200):
            handle.refresh().workflow.reschedule()
            early = problems()
        with travel(seconds=1600):
            handle.refresh().workflow.reschedule()
            late = problems()

        self.assertEqual(({}, ["queues"]), (early, list(late)))

    def test_begins_when_it_was_woken(self):
        """By a message, the end of a child, an operator's resume, or a recovery."""
        handle = workflow_in("waiting")
        with travel(seconds=900):
            Workflow.objects.filter(pk=handle.id).wake()
            woken = problems()
            claim(handle)
            Worker.objects.filter(pk="w").expire()
            Workflow.objects.recover()
            Worker.objects.all().delete()
            alive()
            recovered = problems()
        with travel(seconds=2000):
            handle.refresh().workflow.pause()
            handle.refresh().workflow.resume()
            resumed = problems()

        self.assertEqual(({}, {}, {}), (woken, recovered, resumed))

    def test_goes_on_while_nobody_knows_the_code(self):
        """Being put aside for half a minute is no progress."""
        begins.start("a")
        Workflow.objects.update(name="shop.gone")
        for seconds in range(0, 330, 31):
            with travel(seconds=seconds):
                Workflow.objects.promote()
                Workflow.objects.put_aside("single", names=["sample.other"])
        with travel(seconds=330):
            found = problems()

        self.assertEqual({"code": ["No live worker knows shop.gone: 1 wait for its code."]}, found)


class WorkOfAnotherProject(MonitoringTestCase):
    """Workers of a bakery and of a florist live on the same tables; each puts aside what only the other one knows."""

    def setUp(self):
        super().setUp()
        for name in ("bakery", "florist"):
            alive(name, application=name)

    def put_aside(self, application, seconds_left):
        """Let a workflow that has stood in line for ten minutes be aside for so long still."""
        handle = begins.start("a")
        Workflow.objects.filter(pk=handle.id).update(
            name=f"{application}.work",
            application=application,
            created_at=Later(-600),
            waiting_for="code",
            run_after=Later(seconds_left),
        )

    def test_is_not_without_code_while_a_worker_of_it_lives(self):
        """It has just been put aside by the other project's worker, and its own one takes it up within seconds."""
        self.put_aside("bakery", 29)

        self.assertEqual({}, problems())

    def test_is_without_code_if_its_own_workers_leave_it(self):
        """They have had their turn meanwhile."""
        self.put_aside("bakery", 9)

        self.assertEqual({"code": ["No live worker knows bakery.work: 1 wait for its code."]}, problems())

    def test_is_without_code_if_no_worker_of_it_lives(self):
        """However short it was put aside."""
        self.put_aside("butcher", 29)

        self.assertEqual({"code": ["No live worker knows butcher.work: 1 wait for its code."]}, problems())


class WhatNobodySeesTo(MonitoringTestCase):
    def test_is_named_with_the_worker_that_was_lost(self):
        """Its lease has passed for longer than the grace."""
        handle = takes_order.start(1)
        claim(handle)
        Worker.objects.expire()
        with travel(seconds=30):
            early = problems()
        with travel(seconds=90):
            late = problems()

        self.assertNotIn("leases", early)
        self.assertEqual(
            ["The lease of worker w has passed, and nobody recovers what it held: 1 workflows."], late["leases"]
        )

    def test_is_a_workflow_past_its_deadline(self):
        """Which a worker would have ended at once."""
        alive()
        takes_order.using(timeout=5).start(1)
        claim_all()
        with travel(seconds=30):
            early = problems()
        with travel(seconds=90):
            late = problems()

        self.assertEqual({}, early)
        self.assertRegex(late["deadlines"][0], r"^1 of sample\.takes_order live on past their deadline")

    def test_is_a_schedule_that_cannot_fire(self):
        """With its reason; one that is paused does not matter."""
        make()
        make(name="paused", is_paused=True)
        Schedule.objects.update(error="ValueError: no such zone\n")

        self.assertEqual(["Schedule s is broken: ValueError: no such zone\\n"], problems()["schedules"])

    def test_is_a_schedule_that_nobody_fires(self):
        """It is due for longer than the grace."""
        make()
        Schedule.objects.write(next_at="2020-01-01T00:00Z")

        self.assertEqual(["Schedule s is broken: it is due, and no worker fires it."], problems()["schedules"])


class ADatabase(MonitoringTestCase):
    def test_that_does_not_answer_is_the_only_problem(self):
        """The others cannot be asked."""
        with mock.patch.object(health, "look", side_effect=DatabaseError("server closed the connection\n")):
            found = problems()

        self.assertEqual({"database": ["Database 'default' does not answer: server closed the connection"]}, found)

    def test_that_lacks_a_migration_is_told_so(self):
        """Of this package; those of others are not its business."""
        recorder = MigrationRecorder(connection)
        newest = recorder.migration_qs.filter(app="durable_django").latest("name").name
        recorder.record_unapplied("durable_django", newest)
        recorder.record_unapplied("auth", "0001_initial")

        self.assertEqual(
            {"migrations": [f"Not applied: durable_django.{newest}. Run: manage.py migrate --database default"]},
            problems(),
        )

    def test_that_was_never_migrated_lacks_them_all(self):
        """Not even the table in which it is noted what was applied is there."""
        without = mock.patch.object(MigrationRecorder, "has_table", return_value=False)
        with without, mock.patch.object(applied, "_seen", set()):
            (problem,) = problems()["migrations"]

        self.assertRegex(problem, r"^Not applied: durable_django\.0001_\w+, durable_django\.0002_")

    @override_settings(MIGRATION_MODULES={"durable_django": None})
    def test_needs_none_where_the_project_has_turned_them_off(self):
        """As some do in tests."""
        MigrationRecorder(connection).record_unapplied("durable_django", "0001_initial")

        self.assertEqual({}, problems())


def claim_all():
    """Give all that is runnable to worker w."""
    Workflow.objects.claim("w", "default", 100, names=["sample.takes_order"])
