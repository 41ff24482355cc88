"""The pictures of the documentation: `make screenshots` draws them anew, and no other run of the suite does."""

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

from django.test import override_settings
from django.urls import reverse
from django.utils.timezone import localtime

from durable_django.models import Schedule
from tests.browser.morning import NOW, MorningMixin
from tests.browser.support import BrowserTestCase, list_of, page_of

FOLDER = Path(__file__).parent.parent.parent / "docs" / "images"
#: The height follows the page, from this on.
SIZE = 1280, 300
LARGEST_BYTES = 150_000


@override_settings(DURABLE_DJANGO={"REDACT": "tests.browser.morning.as_on_a_server"})
class PicturesOfTheDocumentation(MorningMixin, BrowserTestCase):
    def setUp(self):
        super().setUp()
        self.set_the_scene()
        self.log_in()
        self.visitor.go(reverse("admin:index"))
        self.visitor.fold_the_navigation()
        FOLDER.mkdir(parents=True, exist_ok=True)

    def test_every_page_is_drawn(self):
        """The main pages are drawn in the light, that of a workflow in the dark, too, small enough for a checkout."""
        for name, path, theme, until in self.pages():
            with self.subTest(picture=name):
                self.visitor.prefer(theme)
                self.visitor.go(path)
                self.draw(name, until)

    def test_a_resumption_is_drawn(self):
        """The form is shown as it is filled in, with its reason."""
        self.visitor.go(page_of("workflow", "order-SO-1023"))
        self.visitor.click("Resume")
        self.visitor.fill("Reason", "The address had no country; Zoë has told us: DE.")

        self.draw("resume")

    def test_a_fork_is_drawn(self):
        """The form is shown with a step and with arguments that are other than those of the original."""
        self.visitor.go(page_of("workflow", "jabberwocky"))
        self.visitor.click("Fork")
        self.visitor.choose("from a step")
        self.visitor.fill("Step", "count_text")
        self.visitor.fill("Arguments", '["carroll-jabberwocky.utf-8.txt"]')
        self.visitor.fill("Reason", "The file was damaged; here is a better copy.")

        self.draw("fork")

    def test_a_backfill_is_drawn(self):
        """The form shows what would be started, before it is."""
        self.visitor.go(page_of("schedule", Schedule.objects.get(name="reports.restock").pk))
        self.visitor.click("Backfill")
        self.visitor.fill_moment("From", localtime(NOW - timedelta(hours=30)))
        self.visitor.fill_moment("Until before", localtime(NOW - timedelta(hours=25)))
        self.visitor.click("Look what would be started")
        self.visitor.wait_for("would be started")

        self.draw("backfill")

    def draw(self, name, until=""):
        """Write a picture of the page that is open, down to what fits a selector."""
        self.visitor.rest()
        self.visitor.resize(*SIZE)
        picture = smaller(self.visitor.picture(until))
        (FOLDER / f"{name}.png").write_bytes(picture)

        self.assertLess(len(picture), LARGEST_BYTES)

    @staticmethod
    def pages():
        failed = page_of("workflow", "order-SO-1023")
        return [
            ("overview", list_of("overview"), "light", ""),
            ("workflows", list_of("workflow"), "light", "#result_list tbody tr:nth-child(15)"),
            ("workflow", failed, "light", "#durable-steps"),
            ("workflow-dark", failed, "dark", "#durable-steps"),
            ("failures", reverse("admin:durable_django_failures"), "light", ""),
            ("queues", list_of("queue"), "light", ""),
            ("schedules", list_of("schedule"), "light", ""),
        ]


def smaller(picture):
    """Give the picture a palette, if there is a program for that."""
    program = shutil.which("pngquant")
    if program is None:
        return picture
    return subprocess.run([program, "64", "-"], input=picture, stdout=subprocess.PIPE, check=True).stdout
