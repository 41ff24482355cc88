"""An operator makes up for ticks that a schedule has missed."""

from datetime import timedelta

from django.utils.timezone import localtime

from durable_django.models import Schedule
from tests.behaviour.scheduling import NOON, at, hours, make, started
from tests.browser.support import BrowserTestCase, page_of
from tests.sample.scheduled import takes_nothing


class WhenAScheduleHasMissedSomething(BrowserTestCase):
    def setUp(self):
        super().setUp()
        Schedule.objects.all().delete()
        self.schedule = make(workflow=takes_nothing, fired_until=NOON)
        self.enterContext(at(NOON, hours=3))
        self.log_in()

    def test_what_would_be_started_is_shown_before_it_is(self):
        """Looking starts nothing; confirming what was shown starts exactly that."""
        self.visitor.go(page_of("schedule", self.schedule.pk))
        self.visitor.click("Backfill")
        self.visitor.fill_moment("From", localtime(NOON))
        self.visitor.fill_moment("Until before", localtime(NOON + timedelta(hours=2)))
        self.visitor.click("Look what would be started")
        self.visitor.wait_for("2 workflows would be started")
        before = started()
        self.visitor.click("Yes: Backfill")
        self.visitor.wait_for("1 schedule was backfilled.")

        self.assertEqual([], before)
        self.assertEqual(hours(0, 1), started())
