"""Queues in the admin: how full they are, and what an operator with the permission may do to them."""

from unittest import mock

from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from durable_django.base import registry
from durable_django.management import depths
from durable_django.models import Queue, QueueStart, Worker, Workflow
from durable_django.testing import travel
from tests.admin.support import HOSTILE, AdminTestCase, url
from tests.sample.queued import begins

EMPTY = {
    "concurrency": "", "worker_concurrency": "", "rate_limit": "", "rate_seconds": "", "partition_concurrency": "",
    "partition_rate_limit": "", "partition_rate_seconds": "",
}  # fmt: skip


def start_on(queue, count=1, **options):
    begins.using(queue=queue, **options).start_many([(str(number),) for number in range(count)])


def hold(queue, count, worker="w", **facts):
    """Let a worker hold so many workflows of a queue."""
    Worker.objects.register(worker, 3600, hostname="here", pid=1, **facts)
    start_on(queue, count)
    ids = list(Workflow.objects.runnable(queue).values_list("pk", flat=True)[:count])
    Workflow.objects.filter(pk__in=ids).update(worker=worker, status="running", attempt=1)


class QueueTestCase(AdminTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.operator = cls.staff("operator", "view_queue", "pause_queue", "resume_queue", "edit_queue", "revert_queue")

    def setUp(self):
        super().setUp()
        Queue.objects.sync(registry.queues.declared())

    def listed(self):
        """Return the cells of the list, by the name of the queue."""
        changes = self.list_page("queue").context["cl"]
        shown = [column for column in changes.list_display if hasattr(changes.model_admin, column)]
        return {
            queue.name: {column: self.as_text(getattr(changes.model_admin, column)(queue)) for column in shown}
            for queue in changes.result_list
        }

    def as_text(self, value):
        """Return what can be read in a cell, in one line."""
        return " ".join(strip_tags(value.replace("<", " <")).split()) if isinstance(value, str) else value

    def edit(self, name, **values):
        return self.client.post(url("queue", "change", name), {**EMPTY, **values})

    def errors(self, response):
        return {name: list(errors) for name, errors in response.context["adminform"].form.errors.items()}


class TheList(QueueTestCase):
    def test_shows_what_waits_and_what_runs(self):
        """What waits for a later moment does neither."""
        hold("three", 2)
        start_on("three", 4)
        start_on("three", delay=60)

        row = self.listed()["three"]

        self.assertEqual(("4", "2 / 3", "3 at a time"), (row["queued"], row["running"], row["limits"]))
        self.assertEqual(
            ("0", "0", "-", "-"), tuple(self.listed()["default"][n] for n in ("queued", "running", "limits", "oldest"))
        )

    def test_shows_for_how_long_the_oldest_waits(self):
        """By the clock of the database."""
        start_on("three")
        with travel(hours=2, seconds=1):
            start_on("three")

            self.assertEqual("2 h 0 min", self.listed()["three"]["oldest"])

    def test_draws_what_was_started_in_the_last_hour(self):
        """For each queue; a few queries for all."""
        start_on("three", 4)
        with CaptureQueriesContext(connection) as queries:
            rows = self.listed()

        self.assertEqual(("4", "0"), (rows["three"]["starts"], rows["ten"]["starts"]))
        self.assertLessEqual(len(queries), 12)
        with travel(hours=2):
            self.assertEqual("0", self.listed()["three"]["starts"])

    def test_leaves_plain_calls_out(self):
        """They take no slot, as the limits see it."""
        hold("three", 2, takes_slots=False)

        self.assertEqual("0 / 3", self.listed()["three"]["running"])

    def test_counts_no_further_than_tells_something(self):
        """Nobody needs the exact number of a million."""
        start_on("three", 4)

        with mock.patch.object(depths, "MOST_COUNTED", 3):
            self.assertEqual("3+", self.listed()["three"]["queued"])

    def test_reads_no_queue_to_its_end(self):
        """Each look at what waits has a limit, and an index that gives the order."""
        start_on("three", 30)

        with CaptureQueriesContext(connection) as queries:
            self.list_page("queue")

        looks = [query["sql"] for query in queries.captured_queries if 'FROM "durable_django_workflow"' in query["sql"]]
        unbounded = [sql for sql in looks if "LIMIT" not in sql and '"worker" IS NOT NULL' not in sql]
        # Those of the last hour, of which only the newest are looked at if there are many.
        self.assertEqual([], [sql for sql in unbounded if '"created_at" >= ' not in sql])

    def test_says_who_was_edited_or_paused(self):
        """Each by its own mark."""
        Queue.objects.filter(pk="three").edit(concurrency=5)
        Queue.objects.filter(pk="ten").pause()

        rows = self.listed()

        self.assertEqual("5 at a time edited", rows["three"]["limits"])
        self.assertNotIn("edited", rows["ten"]["limits"])
        self.assertIn("paused", rows["ten"]["state"])
        self.assertIn("open", rows["three"]["state"])

    def test_says_of_a_paused_queue_how_much_still_runs(self):
        """What runs goes on, and at last nothing does; what waits stays, so that it is not called empty."""
        hold("three", 3)
        start_on("three", 2)
        Queue.objects.filter(pk__in=("three", "ten")).pause()

        rows = self.listed()
        self.assertIn("draining: 3 still run", rows["three"]["state"])
        self.assertIn("nothing runs", rows["ten"]["state"])

        Workflow.objects.filter(pk__in=Workflow.objects.filter(worker="w").values("pk")[:2]).update(
            worker=None, status="succeeded"
        )
        self.assertIn("draining: 1 still runs", self.listed()["three"]["state"])
        self.assertContains(self.page("three", "queue"), "draining: 1 still runs")

    def test_says_nothing_of_that_while_it_is_open(self):
        """It is not to be drained."""
        hold("three", 2)

        self.assertEqual("open", self.listed()["three"]["state"])

    def test_says_all_limits_in_words(self):
        """In the order of the declaration."""
        Queue.objects.filter(pk="ten").edit(
            concurrency=9, worker_concurrency=3, partitioned=True, partition_concurrency=1
        )
        rows = self.listed()

        self.assertEqual("3 starts in 60 s", rows["rated"]["limits"])
        self.assertEqual(
            "9 at a time, 3 at a time per worker, partitioned, 1 at a time per partition edited", rows["ten"]["limits"]
        )
        self.assertEqual("10 at a time, partitioned, 2 starts in 60 s per partition", rows["rated_tenants"]["limits"])


class ThePage(QueueTestCase):
    def test_shows_how_much_of_the_rate_is_used(self):
        """Starts in the window that ends now."""
        for number in range(2):
            QueueStart.objects.create(queue="rated", workflow=str(number))

        self.assertContains(self.page("rated", "queue"), "2 / 3")

    def test_shows_the_partitions_with_the_most_waiting(self):
        """The noisiest first, each with a link to what waits."""
        self.client.force_login(self.staff("watcher", "view_queue", "view_workflow"))
        start_on("tenants", 3, partition_key="noisy")
        start_on("tenants", 1, partition_key=f"quiet {HOSTILE}"[:50])

        page = self.page("tenants", "queue")

        self.assertEqual([3, 1], [number for _name, number, _address in page.context["partitions"]])
        self.assertEqual(3, len(self.shown(self.client.get(page.context["partitions"][0][2]))))
        self.assert_safe(page)

    def test_offers_a_viewer_no_form(self):
        """Who may only look sees the limits as text."""
        page = self.page("three", "queue")

        self.assertContains(page, '<div class="readonly">3</div>', html=True)
        self.assertNotContains(page, 'name="concurrency"')
        self.assertEqual(403, self.edit("three", concurrency="5").status_code)
        self.assertFalse(Queue.objects.get(pk="three").is_edited)

    def test_shows_the_limits_of_the_code_beside_those_that_count(self):
        """So that somebody who reverts knows what comes."""
        Queue.objects.filter(pk="three").edit(concurrency=7)

        self.assertContains(self.page("three", "queue"), "3 at a time")

    def test_is_safe_whatever_the_row_says(self):
        """Names of other hands, limits that the code has never seen."""
        Queue.objects.create(name=HOSTILE, declared=None)
        self.client.force_login(self.operator)

        for page in (self.list_page("queue"), self.page(HOSTILE, "queue")):
            self.assert_safe(page)


class AnOperator(QueueTestCase):
    def setUp(self):
        super().setUp()
        self.client.force_login(self.operator)

    def test_pauses_and_resumes(self):
        """Those that were chosen, and the log of the admin knows who did."""
        self.assertContains(self.operate("queue", "pause", "three", "ten"), "2 queues were paused.")
        self.assertEqual({"three", "ten"}, set(Queue.objects.filter(is_paused=True).values_list("pk", flat=True)))

        self.assertContains(self.operate("queue", "resume", "three", "single"), "1 queue was resumed.")

        self.assertEqual(["ten"], list(Queue.objects.filter(is_paused=True).values_list("pk", flat=True)))
        log = [(entry.user.username, entry.object_id, entry.get_change_message()) for entry in LogEntry.objects.all()]
        self.assertCountEqual(
            [("operator", "ten", "Paused."), ("operator", "three", "Paused."), ("operator", "three", "Resumed.")], log
        )

    def test_edits_limits(self):
        """By the verb: the row is marked, and what the form did not change stays as it is."""
        response = self.edit("three", concurrency="5", rate_limit="100", rate_seconds="60")

        self.assertRedirects(response, url("queue", "changelist"), fetch_redirect_response=False)
        row = Queue.objects.get(pk="three")
        self.assertEqual(
            (5, 100, 60.0, None), (row.concurrency, row.rate_limit, row.rate_seconds, row.worker_concurrency)
        )
        self.assertTrue(row.is_edited)

    def test_changes_only_what_the_form_changed(self):
        """Another operator may be at the other limits."""
        with mock.patch.object(Queue, "edit") as edit:
            self.edit("three", concurrency="3", worker_concurrency="2")

        edit.assert_called_once_with(worker_concurrency=2)

    def test_who_changes_nothing_edits_nothing(self):
        """The limits of the code go on to count."""
        self.edit("three", concurrency="3")

        self.assertFalse(Queue.objects.get(pk="three").is_edited)

    def test_takes_a_limit_away(self):
        """An empty field is none."""
        self.edit("three")

        self.assertEqual((None, True), Queue.objects.values_list("concurrency", "is_edited").get(pk="three"))

    def test_makes_a_queue_partitioned_by_a_limit_of_its_partitions(self):
        """As a declaration does; what waits is not left behind."""
        start_on("three")

        self.edit("three", concurrency="3", partition_concurrency="1")

        self.assertTrue(Queue.objects.get(pk="three").is_partitioned)
        self.assertEqual("", Workflow.objects.get().partition_key)

    def test_reverts(self):
        """The limits of the code count again."""
        Queue.objects.filter(pk="three").edit(concurrency=7)

        self.assertContains(self.operate("queue", "revert", "three", "ten", reason="tried"), "1 queue was reverted.")

        self.assertEqual((3, False), Queue.objects.values_list("concurrency", "is_edited").get(pk="three"))


class ABadLimit(QueueTestCase):
    def setUp(self):
        super().setUp()
        self.client.force_login(self.operator)

    def test_is_refused_at_its_field(self):
        """With what it could be; nothing is changed."""
        rate = "A rate is a number of starts in a number of seconds."
        for values, field, words in (
            ({"concurrency": "99999999999"}, "concurrency", "2147483647"),
            ({"concurrency": "-1"}, "concurrency", "greater than or equal to 0"),
            ({"concurrency": "2", "worker_concurrency": "3"}, "worker_concurrency", "can never be reached"),
            ({"concurrency": "2", "partition_concurrency": "3"}, "partition_concurrency", "can never be reached"),
            ({"rate_limit": "0", "rate_seconds": "60"}, "rate_limit", "must be a whole number from 1"),
            ({"rate_limit": "5", "rate_seconds": "0"}, "rate_seconds", "must be more than 0 seconds"),
            ({"rate_limit": "5", "rate_seconds": "1e9"}, "rate_seconds", "at most a year"),
            ({"rate_limit": "5"}, "rate_seconds", rate),
            ({"rate_seconds": "5"}, "rate_limit", rate),
            ({"partition_rate_limit": "5"}, "partition_rate_seconds", rate),
            ({"rate_limit": "x", "rate_seconds": "5"}, "rate_limit", "whole number"),
        ):
            with self.subTest(values):
                found = self.errors(self.edit("three", **values))

                self.assertEqual([field], list(found))
                self.assertIn(words, found[field][0])
        self.assertFalse(Queue.objects.get(pk="three").is_edited)

    def test_of_partitions_needs_partitions(self):
        """Who unticks them has to empty their limits as well."""
        values = {"partition_concurrency": "1"}

        found = self.errors(self.edit("one_each", **values))

        self.assertEqual(["is_partitioned"], list(found))
        self.assertTrue(Queue.objects.get(pk="one_each").is_partitioned)

    def test_leaves_the_page_as_it_was_filled_in(self):
        """With what the queue holds meanwhile."""
        page = self.edit("three", concurrency="-1")

        self.assertContains(page, 'value="-1"')
        self.assertContains(page, "0 / 3")


class WhoMayOnlyLook(QueueTestCase):
    def test_is_offered_no_action(self):
        """And is refused one that is made by hand."""
        self.assertNotContains(self.list_page("queue"), 'name="action"')

        self.assertEqual(403, self.operate("queue", "pause", "three").status_code)

        self.assertFalse(Queue.objects.get(pk="three").is_paused)
