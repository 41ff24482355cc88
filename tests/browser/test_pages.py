"""Every page of the app: under a strict policy, in both themes, on a narrow screen."""

from django.urls import reverse

from durable_django.models import Schedule, Worker, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.scheduling import make
from tests.browser import measures
from tests.browser.shopping import FailedCheckoutMixin
from tests.browser.support import BrowserTestCase, list_of, page_of
from tests.sample.scheduled import takes_both
from tests.sample.workflows import two_marks

THEMES = ("light", "dark")
WIDTHS = (1280, 400)


class EveryPage(FailedCheckoutMixin, BrowserTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id="letters-" + "1" * 60, queue="tenants", partition_key="north").start("x")
        two_marks.using(id="letters-2").start("y")
        Schedule.objects.all().delete()
        make(workflow=takes_both, context={"region": "north"})
        run_until_idle()
        self.start_worker()
        self.log_in()

    def test_pages_fit_and_are_dark_in_the_dark(self):
        """No page is wider than its window or stays a light patch, and the browser finds nothing to complain about."""
        for path in self.paths():
            for theme in THEMES:
                for width in WIDTHS:
                    with self.subTest(path=path, theme=theme, width=width):
                        self.visitor.prefer(theme)
                        self.visitor.resize(width, 900)
                        self.visitor.go(path)

                        self.assertEqual([], self.visitor.measure(measures.STICKING_OUT))
                        self.assertEqual([], self.light_patches() if theme == "dark" else [])
                        self.assertEqual([], self.visitor.complaints())

    def light_patches(self):
        return self.visitor.measure(measures.LIGHT_PATCHES, "[class*='durable-']")

    @staticmethod
    def paths():
        lists = [list_of(model) for model in ("workflow", "queue", "schedule")]
        workers = [list_of("worker"), *(page_of("worker", worker.pk) for worker in Worker.objects.all())]
        glances = [reverse("admin:durable_django_overview_changelist"), reverse("admin:durable_django_failures")]
        pages = [page_of("workflow", workflow.pk) for workflow in Workflow.objects.all()]
        rows = [page_of("queue", "tenants"), page_of("schedule", Schedule.objects.get(name="s").pk)]
        return [reverse("admin:app_list", args=["durable_django"]), *glances, *lists, *workers, *pages, *rows]
