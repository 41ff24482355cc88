"""An operator tries a workflow again from its middle, with other arguments."""

from durable_django import get_handle
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.browser.support import STATUS, BrowserTestCase, page_of
from tests.sample.workflows import two_marks


class WhenAWorkflowWasGivenTheWrongArguments(BrowserTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id="letters-1").start("wrong")
        run_until_idle()
        self.log_in()

    def test_a_fork_goes_on_with_others_from_a_step(self):
        """What comes before the step is kept, and the step runs with the arguments that were typed."""
        self.start_worker()

        self.visitor.go(page_of("workflow", "letters-1"))
        self.visitor.click("Fork")
        self.visitor.choose("from a step")
        self.visitor.fill("Step", "2")
        self.visitor.fill("Arguments", '["right"]')
        self.visitor.click("Yes: Fork")
        self.visitor.wait_for("1 workflow was forked.")
        fork = Workflow.objects.exclude(pk="letters-1").get()
        self.visitor.go(page_of("workflow", fork.pk))
        self.visitor.wait_for("succeeded", STATUS)

        self.assertEqual(["wrong-atomic", "right-plain"], get_handle(fork.pk).result())
        self.assertIn("letters-1", self.visitor.read("#durable-relatives"))
