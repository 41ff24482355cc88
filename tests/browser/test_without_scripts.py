"""Whoever lets no script run can still look and act."""

from tests.browser.shopping import FailedCheckoutMixin
from tests.browser.support import BrowserTestCase, page_of


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
