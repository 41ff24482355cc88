"""The admin's pages: what they show, to whom, at which cost, and that hostile rows are only text there."""

from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import TestCase
from django.urls import reverse

from durable_django.models import Queue, Step, Worker, Workflow
from durable_django.testing import run_until_idle
from tests.sample.models import Mark
from tests.sample.workflows import Flaky, retried, two_marks

LIST = "admin:durable_django_workflow_changelist"
DETAIL = "admin:durable_django_workflow_change"
HOSTILE = '"><img src=x onerror=alert(1)>'


class AdminCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.admin = User.objects.create_superuser("root", "root@shop.example", "secret")
        cls.viewer = User.objects.create_user("viewer", is_staff=True)
        cls.viewer.user_permissions.set(Permission.objects.filter(codename__in=("view_workflow", "view_payload")))
        cls.stranger = User.objects.create_user("stranger", is_staff=True)

    def setUp(self):
        self.client.force_login(self.viewer)

    def page(self, workflow_id):
        return self.client.get(reverse(DETAIL, args=[workflow_id]))


class TheList(AdminCase):
    def test_shows_workflows_with_their_status(self):
        """Id, name, status and queue of each."""
        handle = two_marks.start("w")
        run_until_idle()

        page = self.client.get(reverse(LIST))

        self.assertContains(page, handle.id)
        self.assertContains(page, '<span class="durable-badge durable-succeeded">succeeded</span>', html=True)

    def test_costs_the_same_for_many_rows(self):
        """The number of queries does not grow with the rows, and no payload is read."""
        two_marks.start("w")
        with self.assertNumQueries(8) as few:
            self.client.get(reverse(LIST))
        two_marks.start_many([(f"w{number}",) for number in range(60)])

        with self.assertNumQueries(8):
            self.client.get(reverse(LIST))

        reading = [query["sql"] for query in few.captured_queries if "durable_django_workflow" in query["sql"]]
        self.assertEqual([], [sql for sql in reading if '"arguments"' in sql or '"output"' in sql])

    def test_finds_ids_by_their_beginning(self):
        """The search takes the beginning of an id, as it is written."""
        for name in ("order-1", "order-2", "other"):
            two_marks.using(id=name).start(name)

        page = self.client.get(reverse(LIST), {"q": "order-"})

        self.assertContains(page, "order-1")
        self.assertContains(page, "order-2")
        self.assertNotContains(page, ">other<")

    def test_filters_by_status_name_and_queue(self):
        """All three lead to the rows they name."""
        two_marks.using(id="ended").start("w")
        run_until_idle()
        two_marks.using(id="still-queued").start("w")
        Queue.objects.ensure("default")

        for filters in ({"status__exact": "queued"}, {"workflow": "sample.two_marks", "status__exact": "queued"}):
            page = self.client.get(reverse(LIST), filters)
            self.assertContains(page, "still-queued")
            self.assertNotContains(page, ">ended<")
        self.assertContains(self.client.get(reverse(LIST), {"in_queue": "default"}), "still-queued")

    def test_takes_no_other_lookup_from_the_address(self):
        """A regular expression in the address does not reach the database."""
        page = self.client.get(reverse(LIST), {"name__regex": "(a+)+$"})

        self.assertEqual(400, page.status_code)

    def test_is_closed_to_those_without_the_permission(self):
        """Staff who may not view workflows are refused."""
        self.client.force_login(self.stranger)

        self.assertEqual(403, self.client.get(reverse(LIST)).status_code)
        self.assertEqual(403, self.client.get(reverse(DETAIL, args=["w"])).status_code)


class ThePageOfAWorkflow(AdminCase):
    def test_shows_call_result_and_steps(self):
        """Arguments and result as Python writes them, each step with its state."""
        handle = two_marks.start("w")
        run_until_idle()

        page = self.page(handle.id)

        self.assertContains(page, "(&#x27;w&#x27;)")
        self.assertContains(page, "[&#x27;w-atomic&#x27;, &#x27;w-plain&#x27;]")
        for name in ("mark_<wbr>atomically", "mark"):
            self.assertContains(page, f'<td class="durable-name">{name}</td>', html=True)
        self.assertContains(page, '<span class="durable-badge durable-done">done</span>', html=True)

    def test_shows_a_step_that_is_retried(self):
        """Its state, and what it failed with."""
        Flaky.failures = 1
        handle = retried.start("w")
        run_until_idle()

        page = self.page(handle.id)

        self.assertContains(page, '<span class="durable-badge durable-retrying">retrying</span>', html=True)
        self.assertContains(page, "the provider does not answer")

    def test_costs_a_fixed_number_of_queries(self):
        """However many steps there are."""
        handle = two_marks.start("w")
        run_until_idle()
        ContentType.objects.get_for_model(Workflow)

        with self.assertNumQueries(7):
            self.page(handle.id)

    def test_offers_no_change(self):
        """No form, no delete, not even for a superuser."""
        self.client.force_login(self.admin)
        handle = two_marks.start("w")

        page = self.page(handle.id)

        self.assertNotContains(page, 'name="_save"')
        self.assertNotContains(page, "deletelink")
        self.assertEqual(403, self.client.post(reverse(DETAIL, args=[handle.id]), {"status": "failed"}).status_code)
        self.assertEqual(403, self.client.get(reverse("admin:durable_django_workflow_add")).status_code)
        delete = reverse("admin:durable_django_workflow_delete", args=[handle.id])
        self.assertEqual(403, self.client.post(delete, {"post": "yes"}).status_code)
        self.assertEqual("queued", handle.refresh().status)

    def test_shows_hostile_values_as_text(self):
        """J6: nothing that a row says becomes markup."""
        handle = two_marks.using(id=f"id {HOSTILE}", attributes={"key": HOSTILE}).start(HOSTILE)
        run_until_idle()
        Workflow.objects.filter(pk=handle.id).update(reason=HOSTILE, waiting_for=HOSTILE, started_by=HOSTILE)
        Step.objects.filter(workflow_id=handle.id).update(name=HOSTILE)

        for page in (self.page(handle.id), self.client.get(reverse(LIST))):
            self.assertEqual(200, page.status_code)
            self.assertNotContains(page, "<img src=x")

    def test_shows_why_a_payload_cannot_be_read(self):
        """H16: a row that somebody else wrote does not break the page."""
        handle = two_marks.start("w")
        run_until_idle()
        Workflow.objects.filter(pk=handle.id).update(arguments="{", output='{"$py": "unheard", "v": 1}', error="[")
        Step.objects.filter(workflow_id=handle.id).update(output="{", error="")

        page = self.page(handle.id)

        self.assertContains(page, "(unreadable: ")

    def test_of_a_workflow_that_is_not_there_leads_back(self):
        """Django's own answer: a message and the way home."""
        self.assertEqual(302, self.page("nothing").status_code)

    def test_runs_no_script_and_no_style_of_its_own(self):
        """It works under a strict content security policy."""
        handle = two_marks.start("w")
        run_until_idle()

        page = self.page(handle.id)

        self.assertNotContains(page, "style=")
        self.assertNotContains(page, "onclick=")


class OtherPages(AdminCase):
    def setUp(self):
        self.client.force_login(self.admin)

    def test_show_which_queues_are_paused(self):
        """Open or paused, as rows say."""
        Queue.objects.create(name="slow", is_paused=True)

        page = self.client.get(reverse("admin:durable_django_queue_changelist"))

        self.assertContains(page, '<span class="durable-badge durable-paused">paused</span>', html=True)

    def test_show_which_workers_live(self):
        """By the database's clock: alive, draining, gone."""
        Worker.objects.register("a", 60, hostname="here", pid=1)
        Worker.objects.register("b", -1, hostname="here", pid=2)
        Worker.objects.register("c", 60, hostname="here", pid=3, is_draining=True)

        page = self.client.get(reverse("admin:durable_django_worker_changelist"))

        for text in ("alive", "gone", "draining"):
            self.assertContains(page, f">{text}</span>")

    def test_of_each_row_open(self):
        """Queues and workers have their page too."""
        Queue.objects.create(name="slow")
        Worker.objects.register("a", 60, hostname="here", pid=1)

        for name, key in (("queue", "slow"), ("worker", "a")):
            page = self.client.get(reverse(f"admin:durable_django_{name}_change", args=[key]))
            self.assertEqual(200, page.status_code)
        self.assertFalse(Mark.objects.exists())
