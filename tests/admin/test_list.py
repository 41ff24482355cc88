"""The list of workflows: what it finds, in which order, at which cost."""

from datetime import timedelta
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin import lists, workflow_list
from durable_django.models import Queue, Workflow
from durable_django.testing import run_until_idle
from tests.admin.support import HOSTILE, AdminTestCase
from tests.sample import tasks
from tests.sample.workflows import two_marks

BUDGET = 12


def hours_ago(workflow_id, hours):
    row = Workflow.objects.filter(pk=workflow_id)
    row.update(created_at=row.get().created_at - timedelta(hours=hours))


class TheList(AdminTestCase):
    def test_costs_as_many_queries_for_many_rows_as_for_one(self):
        """Whatever is filtered and searched; payload columns are never read."""
        two_marks.using(id="w").start("w")
        run_until_idle()
        for address in ({}, {"status__exact": "succeeded", "in_queue": "default"}, {"q": "w"}):
            with CaptureQueriesContext(connection) as one:
                self.list_page(**address)
            two_marks.start_many([("w",)] * 60)
            run_until_idle()
            with CaptureQueriesContext(connection) as many:
                self.assertEqual(200, self.list_page(**address).status_code)

            self.assertEqual(len(one), len(many), address)
            self.assertLessEqual(len(many), BUDGET)
            self.assertFalse([query for query in many.captured_queries if '"arguments"' in query["sql"]])

    def test_reads_no_payload_where_a_form_looks_for_workflows(self):
        """The search of Django behind fields with autocompletion."""
        two_marks.using(id="w").start("w")
        asked = {"app_label": "durable_django", "model_name": "workflow", "field_name": "parent", "term": "w"}
        with CaptureQueriesContext(connection) as queries:
            found = self.client.get("/admin/autocomplete/", asked).json()

        self.assertEqual([{"id": "w", "text": "w"}], found["results"])
        self.assertNotIn('"arguments"', " ".join(query["sql"] for query in queries))

    def test_calls_tasks_by_their_paths(self):
        """Nobody is helped by two names for all tasks; one query more, however many there are."""
        tasks.add.enqueue(1, 2)
        with CaptureQueriesContext(connection) as one:
            self.assertIn("tests.sample.tasks.add", self.text(self.list_page()))
        for number in range(20):
            tasks.add.enqueue(number, 2)
        with CaptureQueriesContext(connection) as many:
            self.list_page()

        self.assertEqual(len(one), len(many))

    def test_shows_the_newest_first_whatever_is_asked(self):
        """A column to sort by would have to be sorted in full."""
        for number, name in enumerate(("b", "c", "a")):
            two_marks.using(id=name).start("w")
            hours_ago(name, number)

        for address in ({}, {"o": "1"}, {"o": "-1.2"}, {"o": "nonsense"}):
            self.assertEqual(["b", "c", "a"], self.shown(self.list_page(**address)), address)

    def test_shows_how_long_it_takes_until_now(self):
        """Below the status, by the database's clock, while it runs; nothing before it was claimed."""
        two_marks.using(id="w").start("w")
        queued = '<td class="field-standing"><span class="durable-badge durable-queued">queued</span></td>'
        self.assertContains(self.list_page(), queued, html=True)
        started = Workflow.objects.get().created_at - timedelta(hours=2, seconds=30)
        Workflow.objects.update(status="running", worker="x", attempt=1, started_at=started)

        self.assertContains(self.list_page(), "2 h 0 min")

    def test_shows_hostile_values_as_text(self):
        """In every column and in the filters."""
        two_marks.using(id=f"id {HOSTILE}").start("w")
        Workflow.objects.update(name=HOSTILE, queue=HOSTILE)
        Queue.objects.create(name=HOSTILE)

        page = self.list_page()

        self.assert_safe(page)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", self.text(page))
        self.assert_safe(self.list_page(q=HOSTILE))
        self.assert_safe(self.list_page(workflow=HOSTILE, in_queue=HOSTILE))

    def test_escapes_control_characters(self):
        """A row cannot turn the direction of the text around it."""
        two_marks.using(id="w\u202ex").start("w")

        page = self.list_page()

        self.assertContains(page, r"w\u202ex</a>")


class ASearch(AdminTestCase):
    def test_takes_the_beginning_of_an_id_letter_by_letter(self):
        """Neither case nor a blank around it matters to people, case does to ids; % means itself."""
        for name in ("order-1", "order-2", "Order-3", "100%"):
            two_marks.using(id=name).start("w")

        for term, found in (
            ("order-", {"order-1", "order-2"}),
            (" order-2 ", {"order-2"}),
            ("Order", {"Order-3"}),
            ("100%", {"100%"}),
            ("%", set()),
            ("rder", set()),
        ):
            self.assertEqual(found, set(self.shown(self.list_page(q=term))), term)

    def test_follows_the_primary_key(self):
        """The prefix is a range of ids on both databases."""
        two_marks.using(id="order-1").start("w")
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_sort = on")
        rows = self.list_page(q="order-").context["cl"].queryset.order_by()

        self.assertRegex(rows.explain(), r"(?i)durable_django_workflow_pkey|sqlite_autoindex_durable_django_workflow")


class AFilter(AdminTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id="ended").start("w")
        run_until_idle()
        two_marks.using(id="open").start("w")
        Queue.objects.ensure("default", "slow")

    def test_leads_to_the_rows_that_it_names(self):
        """Status, workflow and queue; together all must hold."""
        for address, found in (
            ({"status__exact": "succeeded"}, ["ended"]),
            ({"workflow": "sample.two_marks"}, ["open", "ended"]),
            ({"workflow": "sample.retried"}, []),
            ({"in_queue": "slow"}, []),
            ({"in_queue": "default", "status__exact": "queued"}, ["open"]),
        ):
            self.assertEqual(found, self.shown(self.list_page(**address)), address)

    def test_offers_what_the_code_and_small_tables_know(self):
        """Its choices cost no look at the workflows."""
        page = self.list_page()

        for choice in ("?workflow=sample.retried", "?in_queue=slow", "?status__exact=failed"):
            self.assertContains(page, choice)

    def test_takes_names_that_it_does_not_offer(self):
        """A workflow whose code is gone can be found by its address."""
        Workflow.objects.filter(pk="open").update(name="shop.gone", queue="gone")

        self.assertEqual(["open"], self.shown(self.list_page(workflow="shop.gone", in_queue="gone")))

    def test_that_cannot_be_leads_back_to_the_list(self):
        """Not to an error of the database."""
        for address in ({"status__exact": "done"}, {"status__exact": "\0"}, {"workflow": "a\0"}, {"in_queue": "\0"}):
            self.assertRedirects(self.list_page(**address), "/admin/durable_django/workflow/?e=1")

    def test_that_is_not_on_the_list_is_refused(self):
        """No lookup reaches the database from the address but those of the filters."""
        for lookup in (
            "name__regex", "id__iregex", "status__in", "arguments__contains", "steps__output__contains", "queue",
            "attributes__tenant", "parent__parent__status", "subject_type__model", "input__contains", "parent__status",
            "parent__isnull", "created_at__gte", "error__contains", "version__startswith", "children__id",
        ):  # fmt: skip
            self.assertEqual(400, self.list_page(**{lookup: "x"}).status_code, lookup)

    def test_looks_at_the_newest_rows_only(self):
        """What is rare would be looked for in all rows; the page says how far it looked."""
        hours_ago("ended", 1)
        with mock.patch.object(workflow_list, "MOST_FILTERED", 1):
            self.assertEqual(["open", "ended"], self.shown(self.list_page()))
            page = self.list_page(workflow="sample.two_marks")
            self.assertContains(page, "Filters look at what was created since")
            self.assertEqual(["open", "ended"], self.shown(page))
            two_marks.using(id="newest").start("w")
            two_marks.using(id="newer").start("w")
            self.assertEqual([], self.shown(self.list_page(status__exact="succeeded")))

    def test_of_a_search_looks_at_all_rows(self):
        """An id is found however old it is."""
        hours_ago("ended", 1)
        two_marks.using(id="newest").start("w")

        with mock.patch.object(workflow_list, "MOST_FILTERED", 1):
            self.assertEqual(["ended"], self.shown(self.list_page(status__exact="succeeded", q="ended")))

    def test_looks_at_the_newest_rows_only_among_those_of_a_name_that_was_searched(self):
        """No index has the names: one that is rare would be looked for in all rows, too."""
        two_marks.using(id="newer").start("w")
        two_marks.using(id="newest").start("w")
        for hours, key in enumerate(("newer", "open", "ended"), 1):
            hours_ago(key, hours)

        with mock.patch.object(workflow_list, "MOST_FILTERED", 1):
            for address in ({"q": "sample.two"}, {"q": "sample.two", "in_queue": "default"}):
                page = self.list_page(**address)
                self.assertContains(page, "Filters look at what was created since")
                self.assertEqual(["newest", "newer"], self.shown(page), address)

    def test_looks_at_the_newest_rows_only_among_ids_that_are_many(self):
        """Without a filter all of them are found, however old."""
        for key in ("a-1", "a-2", "a-3"):
            two_marks.using(id=key).start("w")
        for hours, key in enumerate(("a-2", "a-1", "open", "ended"), 1):
            hours_ago(key, hours)

        with mock.patch.object(workflow_list, "MOST_FILTERED", 1), mock.patch.object(lists, "MOST_COUNTED", 2):
            page = self.list_page(q="a-", in_queue="default")
            self.assertContains(page, "Filters look at what was created since")
            self.assertEqual(["a-3", "a-2"], self.shown(page))
            self.assertEqual(3, self.list_page(q="a-").context["cl"].queryset.count())

    def test_follows_the_index_on_the_creation(self):
        """No row is read that is not among the newest."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        with mock.patch.object(workflow_list, "MOST_FILTERED", 1):
            changes = self.list_page(workflow="sample.two_marks").context["cl"]

        for rows in (changes.queryset, changes.queryset.order_by()[:10]):
            self.assertIn("durable_workflow_created", rows.explain())


class ManyRows(AdminTestCase):
    def test_are_not_counted_to_the_end(self):
        """The count stops, the page says so, and offers no page behind."""
        two_marks.start_many([("w",)] * 30)

        with mock.patch.object(lists, "MOST_COUNTED", 20):
            page = self.list_page()
            self.assertEqual(20, page.context["cl"].result_count)
            self.assertContains(page, "There are more")
        self.assertNotContains(self.list_page(), "There are more")

    def test_are_paged(self):
        """Fifty to a page; a page that does not exist leads back."""
        two_marks.start_many([("w",)] * 60)

        self.assertEqual((50, 10), (len(self.shown(self.list_page())), len(self.shown(self.list_page(p=2)))))
        self.assertEqual(302, self.list_page(p=1000).status_code)

    def test_cost_a_bounded_statement(self):
        """Every look at the workflows has a limit, also the count."""
        two_marks.start_many([("w",)] * 60)

        with CaptureQueriesContext(connection) as queries:
            self.list_page(status__exact="queued")

        looks = [query["sql"] for query in queries.captured_queries if 'FROM "durable_django_workflow"' in query["sql"]]
        self.assertEqual(4, len(looks))
        self.assertEqual([], [sql for sql in looks if "LIMIT" not in sql])
