"""An operator holds a queue back for a while."""

from durable_django.models import Queue, Workflow
from tests.browser.support import BrowserTestCase, list_of
from tests.sample.workflows import two_marks


class WhenAQueueMustRest(BrowserTestCase):
    def setUp(self):
        super().setUp()
        self.log_in()

    def test_its_depth_grows_while_it_is_paused_and_falls_behind_that(self):
        """The list counts what piles up behind a pause, and what is left when workers claim from it again."""
        self.start_worker()

        self.visitor.go(list_of("queue"))
        self.act("Pause")
        self.visitor.wait_for("1 queue was paused.")
        self.assertTrue(Queue.objects.get(pk="default").is_paused)
        two_marks.start("1")
        self.visitor.reload_until(lambda: self.waiting() == "1", "one workflow waits")
        two_marks.start("2")
        self.visitor.reload_until(lambda: self.waiting() == "2", "two workflows wait")
        self.act("Resume")
        self.visitor.wait_for("1 queue was resumed.")
        self.visitor.reload_until(lambda: self.waiting() in {"0", "-"}, "no workflow waits")

        self.wait_for_end()
        self.assertEqual({"succeeded"}, set(Workflow.objects.values_list("status", flat=True)))

    def act(self, verb):
        """Choose the queue on the list, and a verb; confirm."""
        self.visitor.tick("default")
        self.visitor.select("Action", verb)
        self.visitor.click("Go")
        self.visitor.fill("Reason", "The provider is down")
        self.visitor.click(f"Yes: {verb}")

    def waiting(self):
        return self.visitor.read("tr:has(input[value='default']) td.field-queued")
