"""The lists of workers and queues."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.models import Queue, Worker, Workflow
from durable_django.testing import travel
from tests.admin.support import HOSTILE, AdminTestCase
from tests.sample.workflows import two_marks


class Workers(AdminTestCase):
    def test_live_by_the_clock_of_the_database(self):
        """A lease that the engine takes for lost is shown as lost."""
        Worker.objects.register("w", 60, hostname="here", pid=1)
        self.assertContains(self.list_page("worker"), ">alive</span>")

        with travel(minutes=2):
            self.assertContains(self.list_page("worker"), ">lost</span>")

    def test_can_be_filtered_by_their_state(self):
        """Those that live, those that are gone."""
        Worker.objects.register("lives", 60, hostname="here", pid=1)
        Worker.objects.register("died", -60, hostname="here", pid=2)

        self.assertEqual(["lives"], self.shown(self.list_page("worker", state="alive")))
        self.assertEqual(["died"], self.shown(self.list_page("worker", state="gone")))
        self.assertEqual(["lives", "died"], self.shown(self.list_page("worker")))

    def test_are_shown_with_what_they_hold(self):
        """The number of their workflows, in the same query."""
        Worker.objects.register("w", 60, hostname="here", pid=1)
        two_marks.start_many([("w",)] * 3)
        with CaptureQueriesContext(connection) as before:
            self.list_page("worker")
        Workflow.objects.update(worker="w", status="running")
        Worker.objects.register("v", 60, hostname="here", pid=2)

        with self.assertNumQueries(len(before)):
            page = self.list_page("worker")

        self.assertContains(page, '<td class="field-holds">3</td>', html=True)
        self.assertContains(page, '<td class="field-holds">0</td>', html=True)

    def test_say_which_queues_they_serve(self):
        """All, if they name none; a process that makes plain calls serves none."""
        for key, facts in (("a", {"queues": ["x", "y-*"]}), ("b", {}), ("c", {"takes_slots": False})):
            Worker.objects.register(key, 60, hostname="here", pid=1, **facts)

        for key, said in (("a", "x, y-*"), ("b", "all"), ("c", "-")):
            self.assertContains(self.page(key, "worker"), f'<div class="readonly">{said}</div>', html=True)

    def test_with_hostile_names_are_text(self):
        """On the list and on their page."""
        Worker.objects.register("w", 60, hostname=HOSTILE, pid=1, name=HOSTILE, queues=[HOSTILE])

        for page in (self.list_page("worker"), self.page("w", "worker")):
            self.assert_safe(page)


class Queues(AdminTestCase):
    def test_are_open_or_paused(self):
        """As an operator left them."""
        Queue.objects.ensure("emails", "reports")
        Queue.objects.filter(pk="reports").pause()

        page = self.list_page("queue")

        self.assertContains(page, ">open</span>")
        self.assertContains(page, ">paused</span>", count=1)

    def test_with_hostile_names_are_text(self):
        """On the list and on their page."""
        Queue.objects.create(name=HOSTILE)

        for page in (self.list_page("queue"), self.page(HOSTILE, "queue")):
            self.assert_safe(page)
