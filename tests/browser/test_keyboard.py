"""Whoever has no mouse."""

from tests.browser import measures
from tests.browser.support import BrowserTestCase, list_of
from tests.browser.visitor import ENTER
from tests.sample.workflows import two_marks


class WithTheKeyboardAlone(BrowserTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id="letters-1").start("x")
        self.log_in()

    def test_where_the_keyboard_is_can_be_seen(self):
        """Every link and button of the page of a workflow is outlined, or otherwise looks different, with focus."""
        self.visitor.go(list_of("workflow"))
        self.visitor.tab_to("letters-1")
        self.visitor.press(ENTER)
        self.visitor.wait_for("Timeline")

        self.assertEqual([], self.visitor.measure(measures.LOOK_ALIKE, ".durable-page, .object-tools"))
