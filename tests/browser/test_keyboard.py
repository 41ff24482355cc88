"""Whoever has no mouse."""

from durable_django.models import Workflow
from durable_django.models.status import Status
from tests.browser import measures
from tests.browser.support import BrowserTestCase, list_of
from tests.browser.visitor import ENTER
from tests.sample.workflows import two_marks


class WithTheKeyboardAlone(BrowserTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id="letters-1").start("x")
        self.log_in()

    def test_from_the_list_to_the_end_of_a_workflow(self):
        """The tab key comes to the row, to the button of its page and through the form; the enter key does it."""
        self.open_from_list()
        self.visitor.skip_navigation()
        self.visitor.tab_to("Cancel")
        self.visitor.press(ENTER)
        self.visitor.wait_for("It ends as cancelled.")
        self.visitor.skip_navigation()
        self.visitor.tab_to("reason")
        self.visitor.press("Nobody needs it")
        self.visitor.tab_to("Yes: Cancel")
        self.visitor.press(ENTER)
        self.visitor.wait_for("1 workflow was cancelled.")

        self.assertEqual(Status.CANCELLED, Workflow.objects.get(pk="letters-1").status)

    def test_where_the_keyboard_is_can_be_seen(self):
        """Every link and button of the page of a workflow is outlined, or otherwise looks different, with focus."""
        self.open_from_list()

        self.assertEqual([], self.visitor.measure(measures.LOOK_ALIKE, ".durable-page, .object-tools"))

    def open_from_list(self):
        self.visitor.go(list_of("workflow"))
        self.visitor.skip_navigation()
        self.visitor.tab_to("letters-1")
        self.visitor.press(ENTER)
        self.visitor.wait_for("Timeline")
