"""Filters and the search of the list of workflows: what each finds, however old it is, and by which index."""

from datetime import timedelta
from unittest import mock

from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from durable_django.admin import lists, workflow_list
from durable_django.models import Queue, Step, Worker, Workflow
from durable_django.testing import run_until_idle, travel
from tests.admin.support import AdminTestCase
from tests.sample.models import Mark
from tests.sample.workflows import retried, two_marks

BUDGET = 12


def start(*keys, **columns):
    for key in keys:
        two_marks.using(id=key).start("w")
    if columns:
        Workflow.objects.filter(pk__in=keys).update(**columns)


class Filters(AdminTestCase):
    def find(self, **address):
        return set(self.shown(self.list_page(**address)))

    def test_find_versions_and_applications_that_the_newest_rows_show(self):
        """Both are offered, once a row has one."""
        start("a", version="1.0", application="shop")
        start("b", version="2.0")
        start("c")

        page = self.list_page()
        for choice in ("?version=1.0", "?version=2.0", "?application=shop"):
            self.assertContains(page, choice)
        self.assertEqual({"b"}, self.find(version="2.0"))
        self.assertEqual({"a"}, self.find(application="shop"))
        self.assertEqual(set(), self.find(version="3.0"))

    def test_find_children_and_those_without_a_parent(self):
        """And the children of one workflow."""
        start("p")
        start("a", "b", parent_id="p")

        self.assertEqual({"a", "b"}, self.find(has_parent="yes"))
        self.assertEqual({"p"}, self.find(has_parent="no"))
        self.assertEqual({"a", "b"}, self.find(parent="p"))

    def test_find_what_was_created_or_has_ended_lately(self):
        """By the database's clock."""
        now = timezone.now()
        start("old", created_at=now - timedelta(days=2), status="failed", finished_at=now - timedelta(minutes=5))
        start("new", created_at=now - timedelta(minutes=5))

        self.assertEqual({"new"}, self.find(started="1h"))
        self.assertEqual({"new", "old"}, self.find(started="7d"))
        self.assertEqual({"old"}, self.find(finished="1h"))
        with travel(hours=3):
            self.assertEqual(set(), self.find(finished="1h"))
            self.assertEqual({"old"}, self.find(finished="24h", status__exact="failed"))

    def test_find_what_a_worker_holds_and_what_a_partition_has(self):
        """Links of the pages of workers and queues lead here."""
        start("a", worker="w1", status="running")
        start("b", partition_key="tenant")

        self.assertEqual({"a"}, self.find(worker="w1"))
        self.assertEqual({"b"}, self.find(partition="tenant"))

    def test_find_the_runs_of_a_schedule(self):
        """By their ids."""
        start("schedule:nightly:2026-01-01T00:00:00Z", schedule="nightly")
        start("schedule:nightly:x", "other")

        self.assertEqual({"schedule:nightly:2026-01-01T00:00:00Z"}, self.find(schedule="nightly"))

    def test_find_failures_by_the_type_of_the_error_and_the_step(self):
        """A type whose name only begins so is another one."""
        ended = {"status": "failed", "finished_at": timezone.now()}
        start("a", error='{"type":"builtins:ValueError","message":"x"}', **ended)
        start("b", error='{"type":"builtins:ValueErrors"}', **ended)
        Step.objects.create(workflow_id="b", position=1, name="charge", attempt=1, error="{}")

        self.assertEqual({"a"}, self.find(error_type="builtins:ValueError"))
        self.assertEqual({"b"}, self.find(failed_step="charge"))

    def test_offer_the_types_of_errors_among_failures(self):
        """Of the newest; elsewhere nobody looks for them."""
        ended = {"status": "failed", "finished_at": timezone.now()}
        start("a", error='{"type":"builtins:ValueError","message":"x"}', **ended)
        start("b", error="{", **ended)

        self.assertContains(self.list_page(status__exact="failed"), "error_type=builtins%3AValueError")
        self.assertNotContains(self.list_page(), "error_type=")

    def test_that_cannot_be_lead_back_to_the_list(self):
        """Not to an error of the database."""
        for name in (
            "attention", "started", "finished", "has_parent", "version", "application", "parent", "worker", "partition",
            "schedule", "error_type", "failed_step",
        ):  # fmt: skip
            self.assertRedirects(self.list_page(**{name: "\0"}), "/admin/durable_django/workflow/?e=1")

    def test_find_few_rows_however_old_they_are(self):
        """What is rare has an index, and is not only looked for among the newest."""
        start("waits", status="waiting", waiting_for="message:x")
        start("paused", status="paused")
        start("failed", status="failed", finished_at=timezone.now())
        start("runs", status="running", worker="w")
        start("newest", "newer")
        Workflow.objects.filter(pk__startswith="new").update(created_at=timezone.now() + timedelta(minutes=1))

        with mock.patch.object(workflow_list, "MOST_FILTERED", 1):
            for address, found in (
                ({"status__exact": "waiting"}, {"waits"}),
                ({"status__exact": "paused"}, {"paused"}),
                ({"status__exact": "failed"}, {"failed"}),
                ({"status__exact": "running"}, {"runs"}),
                ({"attention": "stalled"}, {"runs"}),
                ({"finished": "1h"}, {"failed"}),
                ({"status__exact": "waiting", "workflow": "sample.two_marks"}, {"waits"}),
            ):
                page = self.list_page(**address)
                self.assertEqual(found, set(self.shown(page)), address)
                self.assertNotContains(page, "Filters look at")

    def test_look_at_the_newest_if_what_they_find_is_not_rare(self):
        """Many rows are not sorted for the fifty that are shown."""
        start("a", "b", "c", status="paused")
        with mock.patch.object(lists, "MOST_COUNTED", 2), mock.patch.object(workflow_list, "MOST_FILTERED", 1):
            page = self.list_page(status__exact="paused")

        self.assertContains(page, "Filters look at")

    def test_show_the_newest_first(self):
        """Also where an index of another order finds the rows."""
        now = timezone.now()
        for number, key in enumerate(("b", "c", "a")):
            start(key, status="paused", created_at=now - timedelta(minutes=number))

        self.assertEqual(["b", "c", "a"], self.shown(self.list_page(status__exact="paused")))

    def test_take_twelve_queries_together(self):
        """Whatever is asked for, with tasks and subjects among the rows."""
        Queue.objects.ensure("default")
        start(*[f"w{number}" for number in range(20)], status="paused", version="1", application="shop")
        Workflow.objects.update(subject_type=ContentType.objects.get_for_model(Mark), subject_id="7")
        address = {
            "status__exact": "paused",
            "version": "1",
            "started": "7d",
            "has_parent": "no",
            "in_queue": "default",
        }

        with CaptureQueriesContext(connection) as queries:
            self.assertEqual(20, len(self.find(**address)))

        self.assertLessEqual(len(queries), BUDGET)


class SavedFilters(AdminTestCase):
    def test_are_links_with_the_shown_one_marked(self):
        """All, and what people look for again and again."""
        page = self.list_page(status__exact="running")

        shown = [str(title) for title, _address, is_shown in page.context["cl"].saved if is_shown]
        self.assertEqual(["Running"], shown)
        self.assertContains(page, '<strong aria-current="page">Running</strong>', html=True)
        for _title, address, _is_shown in page.context["cl"].saved:
            self.assertEqual(200, self.client.get(address).status_code, address)

    def test_of_other_lists_are_none(self):
        """Queues have nothing of the kind."""
        self.assertNotContains(self.list_page("queue"), "durable-saved")


class Columns(AdminTestCase):
    def test_show_the_last_step_with_its_position(self):
        """Nothing before the first one."""
        two_marks.using(id="w").start("w")
        self.assertContains(self.list_page(), '<td class="field-progress">-</td>', html=True)
        run_until_idle()

        self.assertContains(self.list_page(), '<td class="field-progress">2&nbsp;·&nbsp;mark</td>', html=True)

    def test_show_what_a_workflow_is_about(self):
        """Below its name, with a link where the admin has a page for it; the row itself is not read."""
        self.client.force_login(self.staff("keeper", "view_workflow"))
        start("a", subject_type=ContentType.objects.get_for_model(Mark), subject_id="7")
        start("b", subject_type=ContentType.objects.get_for_model(Workflow), subject_id="x/y")
        start("c", subject_type=ContentType.objects.create(app_label="gone", model="thing"), subject_id="7")

        page = self.list_page()

        self.assertContains(page, '<span class="durable-help">mark 7</span>', html=True)
        self.assertContains(page, '<a href="/admin/durable_django/workflow/x_2Fy/change/">workflow x/y</a>', html=True)
        self.assertContains(page, '<span class="durable-help">gone.thing 7</span>', html=True)

    def test_show_the_attempt_if_it_is_not_the_first(self):
        """Below the last step."""
        start("a", attempt=1)
        start("b", attempt=3)

        page = self.list_page()

        self.assertContains(page, '<span class="durable-help">attempt 3</span>', html=True)
        self.assertNotContains(page, "attempt 1")


class ASearch(AdminTestCase):
    def find(self, term):
        return set(self.shown(self.list_page(q=term)))

    def test_finds_a_deduplication_key_of_what_lives(self):
        """The whole key; ids win."""
        two_marks.using(id="a", deduplication_key="order-7").start("w")
        two_marks.using(id="order-8", deduplication_key="x").start("w")
        Queue.objects.ensure("default")

        self.assertEqual({"a"}, self.find("order-7"))
        self.assertEqual({"order-8"}, self.find("order-8"))
        self.assertEqual({"order-8"}, self.find("order-"))
        self.assertEqual(set(), self.find("rder-7"))

    def test_finds_names_that_the_code_knows(self):
        """By their beginning, letter by letter."""
        two_marks.using(id="a").start("w")
        retried.using(id="b").start("w")

        self.assertEqual({"a"}, self.find("sample.two_marks"))
        self.assertEqual({"b"}, self.find("sample.retr"))
        self.assertEqual(set(), self.find("two_marks"))
        self.assertEqual(set(), self.find("SAMPLE.two_marks"))

    def test_takes_twelve_queries_at_most(self):
        """Also one that finds nothing."""
        for term in ("a", "sample.two_marks", "nothing"):
            with CaptureQueriesContext(connection) as queries:
                self.find(term)

            self.assertLessEqual(len(queries), BUDGET)
        self.assertFalse([query for query in queries.captured_queries if "LIKE" in query["sql"]])

    def test_of_nothing_that_a_database_takes_finds_nothing(self):
        """PostgreSQL refuses NUL with an error."""
        start("a")

        self.assertIn(self.list_page(q="\0").status_code, (200, 302))


class Workers(AdminTestCase):
    def test_have_a_page_with_what_they_run_now(self):
        """For those who may view workflows as well."""
        Worker.objects.register("w", 60, hostname="here", pid=1)
        start("held", worker="w", status="running")
        start("other")

        self.assertContains(self.page("w", "worker"), "/admin/durable_django/workflow/held/change/")
        self.assertNotContains(self.page("w", "worker"), "workflow/other")
        self.client.force_login(self.staff("narrow", "view_worker"))
        self.assertNotContains(self.page("w", "worker"), "held/change")
