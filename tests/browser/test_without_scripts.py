"""Whoever lets no script run can still look and act."""

from durable_django.models import Workflow
from durable_django.models.status import Status
from tests.browser.shopping import FailedCheckoutMixin
from tests.browser.support import BrowserTestCase, list_of, page_of


class WhenNoScriptRuns(FailedCheckoutMixin, BrowserTestCase):
    def setUp(self):
        super().setUp()
        self.log_in()
        self.visitor.turn_scripts_off()

    def test_the_page_of_a_workflow_shows_all(self):
        """The error stands there, the timeline is drawn, and what is folded opens."""
        self.visitor.go(page_of("workflow", "order-SO-7"))

        self.visitor.wait_for("'' is no country")
        self.visitor.wait_for("create_shipment")
        self.assertGreater(self.visitor.count("svg"), 0)
        self.assertNotIn("by itself", self.visitor.text)

    def test_a_verb_of_a_page(self):
        """A button leads to a form, and the form does it."""
        self.visitor.go(page_of("workflow", "order-SO-7"))
        self.visitor.click("Resume")
        self.visitor.click("Yes: Resume")
        self.visitor.wait_for("1 workflow was resumed.")

        self.assertEqual(Status.QUEUED, Workflow.objects.get(pk="order-SO-7").status)

    def test_a_verb_of_a_list(self):
        """The boxes of a list and its action need no script."""
        self.visitor.go(list_of("workflow"))
        self.visitor.tick("order-SO-7")
        self.visitor.select("Action", "Resume")
        self.visitor.click("Go")
        self.visitor.click("Yes: Resume")
        self.visitor.wait_for("1 workflow was resumed.")

        self.assertEqual(Status.QUEUED, Workflow.objects.get(pk="order-SO-7").status)
