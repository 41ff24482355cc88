"""The policy under which all other tests visit the pages."""

from tests.browser import measures
from tests.browser.support import BrowserTestCase, list_of


class WhatThePolicyForbids(BrowserTestCase):
    def test_the_browser_complains_of_it(self):
        """A style or a script in line is heard of: that other tests hear nothing means that there is none."""
        self.log_in()
        self.visitor.go(list_of("overview"))

        self.visitor.measure(measures.PUT_IN_LINE)

        said = "\n".join(self.visitor.complaints())
        self.assertIn("style-src", said)
        self.assertIn("script-src", said)
