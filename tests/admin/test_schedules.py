"""The pages of the schedules, and their two actions."""

from durable_django.models import Schedule
from durable_django.testing import fire_schedules
from tests.admin.support import HOSTILE, AdminTestCase, url
from tests.behaviour.scheduling import at, make
from tests.sample.scheduled import takes_both


class Schedules(AdminTestCase):
    def setUp(self):
        super().setUp()
        Schedule.objects.all().delete()
        self.client.force_login(
            self.staff("keeper", "view_schedule", "pause_schedule", "resume_schedule", "view_payload")
        )
        self.schedule = make("30 9 * * *", workflow=takes_both, context={"region": HOSTILE})

    def act(self, action):
        return self.operate("schedule", action, self.schedule.pk)

    def test_are_listed_with_what_they_do_next(self):
        """Name, state, text and zone, workflow, and the next moment."""
        page = self.list_page("schedule")

        for text in ("s", ">on</span>", "30 9 * * *", "UTC", "sample.takes_both"):
            self.assertContains(page, text)
        self.assert_safe(page)

    def test_are_shown_on_their_own_clock(self):
        """Half past nine in Tokyo, in the list and on the page, wherever the server is."""
        Schedule.objects.update(timezone="Asia/Tokyo")
        with at():
            fire_schedules("s")

        self.assertContains(self.list_page("schedule"), ">2031-05-02 09:30:00</span>")
        self.assertContains(self.page(self.schedule.pk, "schedule"), " 09:30:00", 5)

    def test_have_a_page_with_their_next_ticks_and_context(self):
        """Five ticks; the value as Python writes it, whatever it is."""
        page = self.page(self.schedule.pk, "schedule")

        self.assertContains(page, ":30:00", 5)
        self.assertContains(page, "region")
        self.assert_safe(page)

    def test_show_of_their_context_the_size_to_who_may_not_see_payloads(self):
        """And to others no secret."""
        Schedule.objects.all().delete()
        schedule = make("30 9 * * *", workflow=takes_both, context={"region": "eu", "token": "canary"})

        self.assertContains(self.page(schedule.pk, "schedule"), "&#x27;token&#x27;: &#x27;[hidden]&#x27;")
        self.client.force_login(self.staff("outsider", "view_schedule"))
        page = self.page(schedule.pk, "schedule")
        self.assertContains(page, "which you may not see")
        self.assertNotContains(page, "region")

    def test_that_are_broken_can_be_looked_at(self):
        """Whatever a row holds; the list says why it does not fire."""
        Schedule.objects.write(cron="x", encoded_context="{", error=f"ValueError: {HOSTILE}")

        for page in (self.list_page("schedule"), self.page(self.schedule.pk, "schedule")):
            self.assert_safe(page)
        self.assertContains(self.list_page("schedule"), ">broken</span>")

    def test_are_paused_and_resumed(self):
        """By those who may."""
        self.assertContains(self.act("pause"), "1 schedule was paused.")
        paused = Schedule.objects.get().is_paused
        self.assertContains(self.list_page("schedule"), ">paused</span>")
        self.assertContains(self.act("resume"), "1 schedule was resumed.")

        self.assertEqual((True, False), (paused, Schedule.objects.get().is_paused))

    def test_are_not_changed_by_those_who_may_only_look(self):
        """The actions are not there, also for a request made by hand."""
        self.client.force_login(self.staff("looker", "view_schedule"))
        self.assertEqual(403, self.act("pause").status_code)

        self.assertFalse(Schedule.objects.get().is_paused)
        self.assertNotContains(self.list_page("schedule"), '<option value="pause"')

    def test_are_closed_to_others(self):
        """Who may see workflows need not see schedules."""
        self.client.force_login(self.viewer)
        self.assertEqual(403, self.list_page("schedule").status_code)

    def test_cannot_be_edited_or_deleted_here(self):
        """State is changed by verbs."""
        for view in ("change", "delete"):
            self.assertEqual(
                403, self.client.post(url("schedule", view, self.schedule.pk), {"post": "yes"}).status_code
            )
        self.assertEqual(403, self.client.post(url("schedule", "add"), {}).status_code)
