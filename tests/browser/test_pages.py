"""Every page of the app: under a strict policy, in both themes, on a narrow screen."""

import itertools

from django.contrib.admin.utils import quote
from django.urls import reverse

from durable_django.admin.operating.verbs import verbs_of
from durable_django.models import Operation, Queue, Worker, Workflow
from durable_django.models.operation import Change
from durable_django.testing import run_until_idle
from tests.behaviour.scheduling import make
from tests.browser import measures
from tests.browser.shopping import FailedCheckoutMixin
from tests.browser.support import BrowserTestCase, list_of, page_of
from tests.sample.scheduled import takes_both
from tests.sample.workflows import two_marks

#: The dark one first: what is measured in it was loaded in it, and fades from no other colour.
THEMES = ("dark", "light")
WIDTHS = (1280, 400)
LONG_ID = "letters-" + "1" * 60


class EveryPage(FailedCheckoutMixin, BrowserTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id=LONG_ID, queue="tenants", partition_key="north").start("x")
        run_until_idle()
        two_marks.using(id="letters-2").start("y")
        facts = {"verb": "pause", "object_kind": "workflow", "actor": "operator", "chosen": 1}
        Operation.objects.record([Change("letters-2", after={"priority": 1})], reason="Too many " * 40, **facts)
        self.rows = [
            *(("workflow", row) for row in Workflow.objects.all()),
            ("queue", Queue.objects.get(pk="tenants")),
            ("schedule", make(workflow=takes_both, context={"region": "north"})),
            ("worker", Worker.objects.register("w" * 60, 60.0, name="worker-1", hostname="shop", pid=1)),
            ("operation", Operation.objects.get()),
        ]
        self.log_in()

    def test_pages_fit_and_are_dark_in_the_dark(self):
        """No page is wider than its window or stays a light patch, and the browser finds nothing to complain about."""
        for path in self.pages():
            self.visitor.prefer(THEMES[0])
            self.visitor.go(path)
            for theme, width in itertools.product(THEMES, WIDTHS):
                with self.subTest(path=path, theme=theme, width=width):
                    self.visitor.prefer(theme)
                    self.visitor.resize(width, 900)

                    self.assertEqual([], self.visitor.measure(measures.STICKING_OUT))
                    self.assertEqual([], self.light_patches() if theme == "dark" else [])
                    self.assertEqual([], self.visitor.complaints())

    def test_tables_show_all_their_columns_on_a_desk(self):
        """At 1280 pixels, with the navigation and the filters open, nothing is scrolled sideways."""
        self.visitor.resize(max(WIDTHS), 900)
        for path in self.pages():
            with self.subTest(path=path):
                self.visitor.go(path)

                self.assertEqual([], self.visitor.measure(measures.SCROLLING, ".results, .durable-scroll"))

    def test_buttons_lie_beside_what_a_page_is_about(self):
        """Not on it, however long its id is and however many there are."""
        two_marks.using(id=f"live-{LONG_ID}").start("z")
        for width in WIDTHS:
            self.visitor.resize(width, 900)
            self.visitor.go(page_of("workflow", f"live-{LONG_ID}"))

            self.assertGreater(self.visitor.count(".object-tools a"), 5)
            self.assertFalse(self.visitor.measure(measures.COVERED, "#content > h2", ".object-tools a"), width)

    def test_forms_of_verbs_fit(self):
        """What asks for confirmation fits on a telephone, is dark in the dark, and the browser finds nothing wrong."""
        self.visitor.prefer("dark")
        self.visitor.resize(min(WIDTHS), 900)
        for path in self.forms():
            with self.subTest(path=path):
                self.visitor.go(path)

                self.assertEqual([], self.visitor.measure(measures.STICKING_OUT))
                self.assertEqual([], self.light_patches())
                self.assertEqual([], self.visitor.complaints())

    def light_patches(self):
        return self.visitor.measure(measures.LIGHT_PATCHES, "[class*='durable-'], input, select, textarea")

    def pages(self):
        index = reverse("admin:app_list", args=["durable_django"])
        lists = [list_of(kind) for kind in ("overview", *dict(self.rows))]
        return [index, reverse("admin:durable_django_failures"), *lists, *(page_of(*row) for row in self.keys())]

    def forms(self):
        """Return the address of each verb, for one row of its kind."""
        return [
            reverse(f"admin:durable_django_{kind}_operate", args=[quote(key), verb.name])
            for kind, key in dict(self.keys()).items()
            for verb in verbs_of(kind)
        ]

    def keys(self):
        return [(kind, row.pk) for kind, row in self.rows]
