"""An operator finds out why a checkout has failed, mends the cause, and lets it go on."""

from durable_django.models import Operation
from example_project.shop.models import Order
from tests.browser.shopping import FailedCheckoutMixin
from tests.browser.support import STATUS, BrowserTestCase, list_of


class WhenACheckoutHasFailed(FailedCheckoutMixin, BrowserTestCase):
    def test_the_overview_leads_to_it(self):
        """What needs attention is a sentence of the overview, behind which stand the workflows that it is about."""
        self.log_in()
        self.visitor.go(list_of("overview"))
        self.visitor.click("1 workflow has failed in the last 24 hours.")
        self.visitor.click_in_row("order-SO-7", "failed")

        self.visitor.wait_for("ValueError")

    def test_it_is_found_by_the_filters_of_the_list(self):
        """From the log-in, two clicks lead to the one that has failed."""
        self.visitor.go(list_of("workflow"))
        self.visitor.log_in("operator", "operator")
        self.visitor.click("failed", "//*[@id='changelist-filter']")
        self.visitor.click_in_row("order-SO-7", "failed")

        self.visitor.wait_for("ValueError")

    def test_the_error_shows_the_code_of_the_project_first(self):
        """What is read without a click are the frames of the shop; those of libraries are folded."""
        self.log_in()
        self.open_checkout()

        error = self.visitor.read("#durable-error")

        self.assertIn("'' is no country. Mend the address of order SO-7", error)
        self.assertIn("shop/shipping.py", error)
        self.assertNotIn("durable_django/engine", error)

    def test_it_is_mended_and_resumed(self):
        """The address is mended in the admin of the shop; then the checkout goes on, and the page tells its end."""
        self.start_worker()
        self.log_in()

        self.mend_address()
        self.open_checkout()
        self.visitor.click("Resume")
        self.visitor.fill("Reason", "The country was missing")
        self.visitor.click("Yes: Resume")
        self.visitor.wait_for("1 workflow was resumed.")
        self.visitor.wait_for("succeeded", STATUS)

        self.order.refresh_from_db()
        self.assertEqual(Order.State.PAID, self.order.state)
        self.visitor.wait_for("The country was missing")
        self.assertEqual(["operator"], [record.actor for record in Operation.objects.all()])

    def open_checkout(self):
        self.visitor.go(list_of("workflow"))
        self.visitor.click_in_row("order-SO-7")
        self.visitor.wait_for("Timeline")

    def mend_address(self):
        self.visitor.go("/admin/")
        self.visitor.click("Orders")
        self.visitor.click_in_row("SO-7")
        self.visitor.fill("Country", "DE")
        self.visitor.click("Save")
        self.visitor.wait_for("was changed successfully")
