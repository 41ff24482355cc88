"""A page that refreshes itself while its workflow goes on."""

from durable_django.models import Workflow
from tests.browser.support import STATUS, BrowserTestCase, page_of
from tests.sample.workflows import two_marks

BUTTONS = "[data-durable-part='buttons']"


class WhenSomebodyElsePausesTheWorkflow(BrowserTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id="w").start("w")
        self.log_in()
        self.visitor.go(page_of("workflow", "w"))

    def test_the_buttons_are_those_of_the_state_that_is_shown(self):
        """Pause gives way to Resume, and comes back; at the end there is Purge."""
        self.assert_buttons("queued", has="PAUSE", has_not="RESUME")

        Workflow.objects.filter(pk="w").pause()
        self.assert_buttons("paused", has="RESUME", has_not="PAUSE")

        Workflow.objects.filter(pk="w").cancel()
        self.assert_buttons("cancelled", has="PURGE", has_not="CANCEL")

    def assert_buttons(self, status, *, has, has_not):
        self.visitor.wait_for(status, STATUS)
        shown = self.visitor.read(BUTTONS).upper().split("\n")

        self.assertIn(has, shown)
        self.assertNotIn(has_not, shown)
