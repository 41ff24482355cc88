"""The rows of another project on the same tables, whose code is not loaded here."""

from django.contrib.contenttypes.models import ContentType

from durable_django.base.clock import Later, Now
from durable_django.management.census import take
from durable_django.management.reasons.asking import why
from durable_django.models import Queue, Schedule, Worker, Workflow
from durable_django.testing import run_until_idle
from tests.admin.support import AdminTestCase, url
from tests.behaviour.scheduling import make
from tests.sample.workflows import two_marks


class RowsOfAnotherProject(AdminTestCase):
    """A bakery shares the tables: one of its workflows has ended, one waits in its queue, and its worker lives."""

    def setUp(self):
        super().setUp()
        Schedule.objects.all().delete()
        permissions = [f"view_{kind}" for kind in ("workflow", "queue", "schedule", "worker", "payload")]
        self.client.force_login(self.staff("keeper", *permissions, "trigger_schedule"))
        two_marks.using(id="loaf-1").start("rye")
        run_until_idle()
        two_marks.using(id="loaf-2").start("oat")
        kind = ContentType.objects.create(app_label="bakery", model="loaf")
        Workflow.objects.update(
            name="bakery.bake", queue="ovens", application="bakery", subject_type=kind, subject_id="7"
        )
        Queue.objects.create(name="ovens", concurrency=1)
        Worker.objects.register("b", 60, hostname="oven-1", pid=1, application="bakery", queues=["bakery", "ovens"])
        self.schedule = make(name="bakery-morning", workflow="bakery.bake", queue="ovens", application="bakery")

    def test_are_listed_under_their_names(self):
        """Workflows, queues, schedules and workers."""
        for model, words in (
            ("workflow", ("bakery.bake", "loaf-1", "loaf-2", "ovens")),
            ("queue", ("ovens",)),
            ("schedule", ("bakery-morning", "bakery.bake")),
            ("worker", ("oven-1",)),
        ):
            page = self.list_page(model)
            for word in words:
                self.assertIn(word, self.text(page))
            self.assert_safe(page)

    def test_have_their_pages(self):
        """With steps, values and application, as far as the rows themselves tell."""
        for model, key, words in (
            ("workflow", "loaf-1", ("bakery.bake", "rye", "bakery", "mark_atomically")),
            ("workflow", "loaf-2", ("bakery.bake", "oat", "bakery")),
            ("queue", "ovens", ("ovens",)),
            ("schedule", str(self.schedule.pk), ("bakery-morning", "bakery.bake", "ovens", "bakery")),
            ("worker", "b", ("oven-1", "bakery")),
        ):
            page = self.page(key, model)
            for word in words:
                self.assertIn(word, self.text(page))
            self.assert_safe(page)

    def test_are_found_by_their_application(self):
        """The filter offers it, and leaves those of one project."""
        two_marks.using(id="own").start("w")

        page = self.list_page(application="bakery")

        self.assertCountEqual(["loaf-1", "loaf-2"], self.shown(page))
        self.assertContains(self.list_page(), "application=bakery")

    def test_are_counted_in_the_overview(self):
        """With queue, worker and schedule."""
        page = self.client.get(url("overview", "changelist"))

        for word in ("ovens", "oven-1", "bakery-morning"):
            self.assertIn(word, self.text(page))
        self.assert_safe(page)

    def test_are_not_without_code_while_their_own_worker_lives(self):
        """It takes up within moments what a worker of another project has put aside; what it leaves alone counts."""
        Worker.objects.register("own", 60, hostname="h", pid=2)
        Workflow.objects.filter(pk="loaf-2").update(waiting_for="code", run_after=Later(29))
        fresh = (self.shown(self.list_page(attention="codeless")), take().codeless.number)
        fresh_reason = str(why([self.row("loaf-2")])["loaf-2"])
        Workflow.objects.filter(pk="loaf-2").update(run_after=Later(9))

        self.assertEqual(([], 0), fresh)
        self.assertNotIn("no live worker knows", fresh_reason)
        self.assertEqual(["loaf-2"], self.shown(self.list_page(attention="codeless")))
        self.assertEqual(1, take().codeless.number)
        self.assertIn("no live worker knows 'bakery.bake'", why([self.row("loaf-2")])["loaf-2"])

    def row(self, key):
        return Workflow.objects.annotate(now=Now()).get(pk=key)

    def test_are_not_started_by_a_trigger(self):
        """Which says that the code is not here, and starts nothing."""
        before = Workflow.objects.count()

        page = self.operate("schedule", "trigger", self.schedule.pk)

        self.assertContains(page, "bakery.bake")
        self.assertEqual(before, Workflow.objects.count())
