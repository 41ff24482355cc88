"""The pages of the schedules, and their two actions."""

from datetime import UTC, datetime

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from durable_django.models import Operation, Schedule, Workflow
from durable_django.testing import fire_schedules
from tests.admin.support import HOSTILE, AdminTestCase, sheet, url
from tests.behaviour.scheduling import NOON, at, make
from tests.sample.scheduled import takes_both


class Schedules(AdminTestCase):
    def setUp(self):
        super().setUp()
        Schedule.objects.all().delete()
        self.client.force_login(
            self.staff("keeper", "view_schedule", "pause_schedule", "resume_schedule", "view_payload", "view_workflow")
        )
        self.schedule = make("30 9 * * *", workflow=takes_both, context={"region": HOSTILE})

    def act(self, action):
        return self.operate("schedule", action, self.schedule.pk)

    def test_are_listed_with_what_they_do_next(self):
        """Name, state, text and zone, workflow, and the next moment."""
        page = self.list_page("schedule")

        for text in ("s", ">on</span>", "30 9 * * *", "UTC", "sample.takes_both"):
            self.assertIn(text, self.text(page))
        self.assert_safe(page)

    def test_are_listed_without_their_context(self):
        """However large it is; nor is it read to ask what is to be done to many."""
        chosen = {"action": "pause", "_selected_action": self.schedule.pk}
        for ask, sent in ((self.client.get, {}), (self.client.post, chosen)):
            with CaptureQueriesContext(connection) as queries:
                page = ask(url("schedule", "changelist"), sent)

            self.assertEqual(200, page.status_code)
            self.assertNotIn("encoded_context", " ".join(query["sql"] for query in queries))

    def test_are_shown_on_their_own_clock(self):
        """Half past nine in Tokyo, in the list and on the page, wherever the server is."""
        Schedule.objects.update(timezone="Asia/Tokyo")
        with at():
            fire_schedules("s")

        self.assertContains(self.list_page("schedule"), ">2031-05-02 09:30:00</span>")
        self.assertContains(self.page(self.schedule.pk, "schedule"), " 09:30:00 JST (+0900)", 5)

    def test_are_shown_on_their_own_clock_without_time_zones(self):
        """Moments are naive then, in the project's zone, which is not that of the schedule."""
        Schedule.objects.update(timezone="Asia/Tokyo")
        with at():
            fire_schedules("s")

        with self.settings(USE_TZ=False):
            self.assertContains(self.list_page("schedule"), ">2031-05-02 09:30:00</span>")
            self.assertContains(self.page(self.schedule.pk, "schedule"), "2031-05-02 09:30:00</div>")

    def test_have_a_page_with_their_next_ticks_and_context(self):
        """Five ticks; the value as Python writes it, whatever it is."""
        page = self.page(self.schedule.pk, "schedule")

        self.assertContains(page, ":30:00", 5)
        self.assertContains(page, "region")
        self.assert_safe(page)

    def test_say_their_text_in_words(self):
        """Where it has simple ones."""
        self.assertContains(self.list_page("schedule"), "every day, at 09:30")
        self.assertContains(self.page(self.schedule.pk, "schedule"), "every day, at 09:30")

    def test_show_the_offset_of_each_tick(self):
        """The clocks of Berlin go back between two of them: the hour stays, its distance to UTC does not."""
        Schedule.objects.update(timezone="Europe/Berlin")
        with at(datetime(2031, 10, 24, 12, tzinfo=UTC)):
            page = self.page(self.schedule.pk, "schedule")

        self.assertContains(page, "Sat 2031-10-25 09:30:00 CEST (+0200)")
        self.assertContains(page, "Sun 2031-10-26 09:30:00 CET (+0100)")

    def test_show_what_became_of_the_last_runs(self):
        """Twenty, the newest at the right, each with a link; one query however many schedules there are."""
        make("0 * * * *", name="other")
        with CaptureQueriesContext(connection) as before:
            self.list_page("schedule")
        for name, count in (("s", 25), ("other", 2)):
            for number in range(count):
                key = f"schedule:{name}:2031-05-{number + 1:02}T09:30:00Z"
                takes_both.using(id=key).start(NOON)
                Workflow.objects.filter(pk=key).update(schedule=name)
        Workflow.objects.filter(pk="schedule:s:2031-05-25T09:30:00Z").update(status="failed")

        with CaptureQueriesContext(connection) as queries:
            page = self.list_page("schedule")

        self.assertEqual(len(before), len(queries))
        self.assertLessEqual(len(queries), 12)
        runs = {schedule.name: schedule.runs for schedule in page.context["cl"].result_list}
        self.assertEqual((20, 2), (len(runs["s"]), len(runs["other"])))
        self.assertEqual(("schedule:s:2031-05-25T09:30:00Z", "failed"), runs["s"][-1][:2])
        self.assertContains(page, "2031-05-25 09:30:00: failed", 2)
        self.assertContains(page, "durable-outcome-failed", 1)
        self.assertContains(self.page(self.schedule.pk, "schedule"), "durable-outcome-queued", 19)

    def test_show_their_runs_to_those_who_may_view_workflows(self):
        """The ids and states of workflows are nothing that the permission for schedules opens; nor are they read."""
        key = "schedule:s:2031-05-01T09:30:00Z"
        takes_both.using(id=key).start(NOON)
        Workflow.objects.filter(pk=key).update(schedule="s")
        seen = []
        for name, permissions in (("both", ("view_schedule", "view_workflow")), ("one", ("view_schedule",))):
            self.client.force_login(self.staff(name, *permissions))
            pages = (self.list_page("schedule"), self.page(self.schedule.pk, "schedule"))
            seen.append(
                [
                    ("durable-outcome-queued" in page.content.decode(), "last runs" in page.content.decode().lower())
                    for page in pages
                ]
            )

        self.assertEqual([[(True, True)] * 2, [(False, False)] * 2], seen)

    def test_that_are_broken_are_found_by_a_filter(self):
        """The overview leads there."""
        self.assertEqual([], self.shown(self.list_page("schedule", state="broken")))
        Schedule.objects.write(error="x")

        self.assertEqual([self.schedule.pk], self.shown(self.list_page("schedule", state="broken")))

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

    def test_say_in_words_how_far_their_starts_are_spread(self):
        """A dash if they are not."""
        plain = self.page(self.schedule.pk, "schedule")
        Schedule.objects.write(jitter_seconds=30)
        spread = self.page(self.schedule.pk, "schedule")

        for page, words in ((plain, "-"), (spread, "30.0 s")):
            self.assertContains(page, f'<label>Jitter:</label><div class="readonly">{words}</div>', html=True)

    def test_say_in_the_list_why_they_do_not_fire(self):
        """Beside their workflow, cut if it is long."""
        Schedule.objects.write(error="No worker that runs now knows its workflow." + "x" * 1000)

        page = self.list_page("schedule")

        self.assertContains(page, "No worker that runs now knows its workflow.x")
        self.assertNotContains(page, "x" * 300)

    def test_have_their_filters_above_the_list(self):
        """Which has the whole width for its columns then; the address takes all of them together as well."""
        page = self.list_page("schedule", is_paused__exact="1")

        self.assertContains(page, '<strong aria-current="page">Paused</strong>', html=True)
        self.assertNotContains(page, "changelist-filter")
        Schedule.objects.write(is_paused=True, error="x")
        self.assertEqual(
            [self.schedule.pk], self.shown(self.list_page("schedule", is_paused__exact="1", state="broken"))
        )

    def test_that_cannot_start_say_so_when_they_are_triggered(self):
        """Whatever is wrong with the row; nothing is changed."""
        self.client.force_login(self.staff("starter", "view_schedule", "trigger_schedule", "backfill_schedule"))
        for columns in (
            {"workflow": "shop.gone"}, {"workflow": "sample.two_marks"}, {"cron": "x"}, {"timezone": "Nowhere/Else"},
            {"encoded_context": "{"}, {"queue": "gone"},
        ):  # fmt: skip
            with self.subTest(columns), transaction.atomic():
                Schedule.objects.write(**columns)
                for verb, values in (
                    ("trigger", {}),
                    ("backfill", {"start": "2024-01-01T00:00", "end": "2024-01-03T00:00"}),
                ):
                    sent = sheet(**values)
                    address = url("schedule", "operate", str(self.schedule.pk), verb)
                    token = self.client.post(address, sent).context["asked"].token
                    page = self.client.post(address, {**sent, "confirmed": token}, follow=True)

                    self.assertContains(page, 'class="errornote"')
                    self.assertEqual((0, 0), (Workflow.objects.count(), Operation.objects.count()))
                transaction.set_rollback(True)

    def test_that_a_newer_release_has_declared_are_listed_and_reverted(self):
        """Columns that this one does not know are passed over."""
        self.client.force_login(self.staff("reverter", "view_schedule", "revert_schedule"))
        Schedule.objects.write(declared={"cron": "5 * * * *", "moon": "full"})

        self.assertContains(self.list_page("schedule"), ">edited</span>")
        self.assertContains(
            self.operate("schedule", "revert", self.schedule.pk, reason="x"), "1 schedule was reverted."
        )

        self.assertEqual("5 * * * *", Schedule.objects.get().cron)

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
