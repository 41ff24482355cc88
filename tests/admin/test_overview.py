"""The overview: what there is, what happens, what needs attention, and at which cost."""

from datetime import timedelta
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from durable_django.admin import queues, workers
from durable_django.base import registry
from durable_django.base.clock import Now
from durable_django.management import census, throughput
from durable_django.models import Queue, Schedule, Worker, Workflow
from durable_django.testing import run_until_idle, travel
from tests.admin.support import HOSTILE, AdminTestCase, url
from tests.sample.queued import begins
from tests.sample.workflows import two_marks

BUDGET = 12
OVERVIEW = "/admin/durable_django/overview/"


class OverviewTestCase(AdminTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        permissions = [f"view_{name}" for name in ("workflow", "queue", "worker", "schedule")]
        cls.keeper = cls.staff("keeper", *permissions)

    def setUp(self):
        super().setUp()
        Schedule.objects.all().delete()
        Queue.objects.sync(registry.queues.declared())
        self.client.force_login(self.keeper)

    def overview(self, **address):
        return self.client.get(OVERVIEW, address)

    def needs(self):
        """Return what needs attention, with the ids that each link leads to."""
        return {need.text: self.client.get(need.address) for need in self.overview().context["needs"]}

    def fail_some(self, count=1, **columns):
        two_marks.start_many([("w",)] * count)
        columns = {
            "status": "failed",
            "finished_at": timezone.now(),
            "error": '{"type":"builtins:ValueError"}',
            **columns,
        }
        Workflow.objects.queued().update(**columns)


class TheOverview(OverviewTestCase):
    def test_counts_by_status_with_a_link_to_each(self):
        """All seven, also those that nothing is in."""
        two_marks.start("a")
        run_until_idle()
        two_marks.start_many([("w",)] * 2)

        page = self.overview()

        shown = {address.rpartition("=")[2]: number for _label, number, address in page.context["statuses"]}
        self.assertEqual(
            {"queued": "2", "running": "0", "waiting": "0", "paused": "0", "succeeded": "1", "failed": "0",
             "cancelled": "0"}, shown,
        )  # fmt: skip
        for _label, _number, address in page.context["statuses"]:
            self.assertEqual(200, self.client.get(address).status_code)

    def test_of_nothing_says_that_all_is_well(self):
        """A new project has neither workflows nor workers."""
        page = self.overview()

        self.assertContains(page, "Nothing: all is well.")
        self.assertEqual({"0"}, {number for _label, number, _address in page.context["statuses"]})

    def test_draws_what_was_started_and_what_came_of_it(self):
        """In the time that is asked for; the text says the numbers as well."""
        self.fail_some(3)
        two_marks.start("a")
        run_until_idle()

        for period in ("5m", "1h", "24h", "nonsense"):
            page = self.overview(period=period)
            totals = {str(trend.title): trend.total for trend in page.context["trends"]}
            self.assertEqual({"started": "4", "succeeded": "1", "failed": "3"}, totals, period)
        self.assertContains(page, "failed: 3 in the last 24 hours, at most 3 in 30 min 0 s.")
        with travel(hours=1):
            self.assertEqual({"0"}, {trend.total for trend in self.overview(period="5m").context["trends"]})

    def test_shows_queues_workers_and_schedules(self):
        """Each with a link to its page."""
        begins.using(queue="three").start("x")
        Worker.objects.register("w", 60, hostname="here", pid=7, threads=4)
        schedule = Schedule.objects.create(name="nightly", cron="30 2 * * *", workflow="sample.takes_nothing")

        page = self.overview()

        for text in ("here:7", "0 / 4", "every day, at 02:30", url("schedule", "change", schedule.pk)):
            self.assertContains(page, text)
        (row,) = [queue for queue in page.context["queues"] if queue.name == "three"]
        self.assertEqual("1", row.depth.spoken)
        self.assertContains(page, url("queue", "change", "three"))

    def test_shows_only_what_the_user_may_view(self):
        """Who may view workflows alone sees no queue, worker or schedule, nor what is wrong with them."""
        Worker.objects.register("w", -60, hostname="secret-host", pid=7)
        Schedule.objects.create(name="nightly", cron="30 2 * * *", workflow="sample.takes_nothing")
        Schedule.objects.write(error="broken")
        self.client.force_login(self.staff("narrow", "view_workflow"))

        page = self.overview()

        self.assertContains(page, "all is well")
        for text in ("secret-host", "nightly", "three"):
            self.assertNotContains(page, text)

    def test_is_closed_to_those_who_may_not_view_workflows(self):
        """As the failures are."""
        self.client.force_login(self.staff("stranger", "view_queue"))

        for address in (OVERVIEW, f"{OVERVIEW}failures/"):
            self.assertEqual(403, self.client.get(address).status_code)

    def test_is_reached_from_the_index_and_from_every_list(self):
        """By a link for those who may view it; it stands in the page itself: the navigation needs a script."""
        for address in (
            "/admin/",
            "/admin/durable_django/",
            *(url(each, "changelist") for each in ("workflow", "queue", "worker", "schedule")),
        ):
            content = self.client.get(address).content.decode()
            self.assertIn(f'href="{OVERVIEW}"', content[content.index("<main") :], address)
        self.client.force_login(self.staff("stranger", "view_queue"))
        self.assertNotContains(self.client.get(url("queue", "changelist")), OVERVIEW)

    def test_carries_no_script_and_no_style_in_line(self):
        """Whatever rows say: names of queues, hosts and schedules are text."""
        self.fail_some(1)
        Queue.objects.create(name=HOSTILE, is_paused=True)
        two_marks.start("w")
        Workflow.objects.queued().update(queue=HOSTILE, name=HOSTILE)
        Worker.objects.register("w", 60, hostname=HOSTILE, pid=1, name=HOSTILE)
        Schedule.objects.create(name="nightly", cron="30 2 * * *", workflow="sample.takes_nothing")
        Schedule.objects.filter(name="nightly").write(error=HOSTILE, cron=HOSTILE)

        page = self.overview()

        self.assert_safe(page)
        self.assertContains(page, "&lt;script&gt;alert(1)&lt;/script&gt;")

    def test_takes_twelve_queries_however_much_there_is(self):
        """Two queues or twenty, no workflow or many."""
        with CaptureQueriesContext(connection) as few:
            self.overview()
        self.fail_some(5)
        two_marks.start_many([("w",)] * 60)
        Queue.objects.ensure(*[f"queue-{number}" for number in range(20)])
        for number in range(5):
            Worker.objects.register(f"w{number}", 60, hostname="here", pid=number)
        with CaptureQueriesContext(connection) as many:
            self.overview()

        self.assertEqual(len(few), len(many))
        self.assertLessEqual(len(many), BUDGET)

    def test_takes_twelve_queries_with_more_queues_than_it_shows(self):
        """To know which ones to show costs nothing more."""
        with mock.patch.object(queues, "MOST_SHOWN", 1), CaptureQueriesContext(connection) as queries:
            self.overview()

        self.assertLessEqual(len(queries), BUDGET)

    def test_counts_no_further_than_tells_something(self):
        """The number stops, and says so."""
        self.fail_some(3)

        with self.settings(USE_THOUSAND_SEPARATOR=True):
            self.assertEqual("10,000+", census.Count.up_to(10_001).spoken)
        self.assertEqual(3, census.take().failed_lately.number)

    def test_looks_at_the_newest_alone_if_there_are_many(self):
        """And says since when it has looked."""
        two_marks.start_many([("w",)] * 5)
        for number, row in enumerate(Workflow.objects.order_by("pk")):
            Workflow.objects.filter(pk=row.pk).update(created_at=row.created_at - timedelta(minutes=number))
        before, throughput.MOST_SEEN = throughput.MOST_SEEN, 2
        self.addCleanup(setattr, throughput, "MOST_SEEN", before)

        page = self.overview()

        self.assertContains(page, "only what is newer than")
        self.assertEqual("3", page.context["trends"][0].total)


class WhatNeedsAttention(OverviewTestCase):
    def test_is_what_has_failed_lately(self):
        """Not what failed long ago; the link leads to those rows alone."""
        self.fail_some(2)
        self.fail_some(1, finished_at=timezone.now() - timedelta(days=2))

        ((text, page),) = self.needs().items()

        self.assertEqual("2 workflows have failed in the last 24 hours.", text)
        self.assertEqual(2, len(self.shown(page)))

    def test_is_what_a_lost_worker_holds(self):
        """And the worker itself."""
        Worker.objects.register("w", -60, hostname="here", pid=1)
        Worker.objects.filter(pk="w").update(heartbeat_at=timezone.now() - timedelta(minutes=2))
        two_marks.using(id="held").start("w")
        Workflow.objects.update(status="running", worker="w")

        needs = self.needs()

        self.assertEqual(
            ["1 workflow is held by a worker that is gone.", "1 worker is gone without having said so."], list(needs)
        )
        self.assertEqual(["held"], self.shown(needs["1 workflow is held by a worker that is gone."]))
        self.assertEqual(["w"], self.shown(needs["1 worker is gone without having said so."]))

    def test_is_a_lost_worker_behind_many_that_live(self):
        """However many there are: its lease is the oldest of all."""
        Worker.objects.register("lost", -60, hostname="here", pid=1)
        Worker.objects.filter(pk="lost").update(heartbeat_at=timezone.now() - timedelta(minutes=2))
        for number in range(4):
            Worker.objects.register(f"w{number}", 60, hostname="here", pid=number)

        with mock.patch.object(workers, "MOST_SHOWN", 3):
            self.assertEqual(["1 worker is gone without having said so."], list(self.needs()))

    def test_is_a_late_queue_behind_many_others(self):
        """Of more queues than it shows the overview shows those that are late, or paused with work."""
        begins.using(queue="three", id="late").start("x")
        begins.using(queue="ten", id="kept").start("x")
        Queue.objects.filter(pk="ten").pause()
        Queue.objects.ensure(*[f"a-{number}" for number in range(4)])

        with travel(minutes=6), mock.patch.object(queues, "MOST_SHOWN", 3):
            page = self.overview()

        self.assertEqual(["a-0", "ten", "three"], [queue.name for queue in page.context["queues"]])
        self.assertEqual(
            ["Queue ten is paused, and 1 workflow waits in it.",
             "In queue three 1 workflow waits, the oldest for 6 min 0 s."],
            [need.text for need in page.context["needs"]],
        )  # fmt: skip

    def test_is_no_worker_that_has_given_up_its_lease(self):
        """It ended as it should."""
        Worker.objects.register("w", 30, hostname="here", pid=1)
        Worker.objects.expire()

        self.assertEqual({}, self.needs())

    def test_is_what_no_worker_knows(self):
        """Put aside until somebody starts a worker with its code."""
        two_marks.using(id="strange").start("w")
        Workflow.objects.update(waiting_for="code", run_after=timezone.now() + timedelta(seconds=30))

        ((text, page),) = self.needs().items()

        self.assertEqual("1 workflow waits for a worker that has its code.", text)
        self.assertEqual(["strange"], self.shown(page))

    def test_is_what_waits_for_too_long(self):
        """Late is what could have run five minutes ago."""
        begins.using(queue="three", id="late").start("x")
        with travel(minutes=6):
            begins.using(queue="three", id="fresh").start("y")

            ((text, page),) = self.needs().items()

        self.assertEqual("In queue three 2 workflows wait, the oldest for 6 min 0 s.", text)
        self.assertEqual(["late"], self.shown(page))

    def test_is_nothing_that_has_slept_since_it_was_started(self):
        """It may have become runnable this very moment."""
        begins.using(queue="three", id="woken").start("x")

        with travel(days=3):
            Workflow.objects.update(attempt=1, runnable_at=Now())
            self.assertEqual({}, self.needs())

    def test_is_a_paused_queue_with_work(self):
        """Not one that is empty."""
        begins.using(queue="three", id="kept").start("x")
        Queue.objects.filter(pk__in=("three", "ten")).pause()

        ((text, page),) = self.needs().items()

        self.assertEqual("Queue three is paused, and 1 workflow waits in it.", text)
        self.assertEqual(["kept"], self.shown(page))

    def test_is_a_broken_schedule(self):
        """The list shows why."""
        Schedule.objects.create(name="good", cron="30 2 * * *", workflow="sample.takes_nothing")
        bad = Schedule.objects.create(name="bad", cron="30 2 * * *", workflow="sample.takes_nothing")
        Schedule.objects.filter(pk=bad.pk).write(error="no such zone")

        ((text, page),) = self.needs().items()

        self.assertEqual("1 schedule does not fire as it should.", text)
        self.assertEqual([bad.pk], self.shown(page))
