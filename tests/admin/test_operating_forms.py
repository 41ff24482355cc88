"""The forms of verbs: what they refuse, what they keep, what they make of what was typed."""

from unittest import mock

from django.contrib.auth.models import User

from durable_django.models import Message, Operation, Schedule, Workflow
from durable_django.testing import run_until_idle
from tests.admin.operating import OperatingTestCase, Target
from tests.admin.support import HOSTILE, sheet, url
from tests.behaviour.scheduling import NOON, at, make, started
from tests.sample.scheduled import takes_both
from tests.sample.workflows import two_marks


def start(*keys):
    for key in keys:
        two_marks.using(id=key).start("w")


class Forms(OperatingTestCase):
    def setUp(self):
        super().setUp()
        start("a", HOSTILE)

    def send(self, verb, key="a", **values):
        return self.on_page(Target("workflow", verb, key), confirmed="1", **values)

    def test_say_where_a_message_is_no_json(self):
        """And keep what was typed."""
        for text, fault in (
            ("{'a': 1}", "line 1, column 2"), ("[1,\n2", "line 2, column"), ("NaN", "NaN is no number"),
            ("[" * 100_000, "cannot be read as JSON"), ("1" * 5000, "cannot be read as JSON"), ("", "required"),
        ):  # fmt: skip
            with self.subTest(text[:10]):
                page = self.send("send", topic="<t>", message=text)

                self.assertContains(page, fault)
                self.assertEqual(
                    (text, "<t>"), (page.context["form"]["message"].value(), page.context["form"]["topic"].value())
                )
        self.assertFalse(Message.objects.exists())

    def test_send_what_was_written(self):
        """Null, too, is a message."""
        self.send("send", topic="t", message='{"ok": true}')
        self.send("send", message="null")

        self.assertEqual([("t", '{"ok":true}'), ("", "null")], list(Message.objects.values_list("topic", "value")))
        self.assertEqual({"topic": "t"}, Operation.objects.earliest("pk").after)

    def test_refuse_attributes_that_are_none(self):
        """A list, an empty object."""
        for text in ("[]", "{}", '"x"'):
            self.assertContains(self.send("set_attributes", attributes=text), "JSON object with at least one")

        self.assertEqual({}, Workflow.objects.get(pk="a").attributes)

    def test_are_safe_whatever_names_and_texts_are(self):
        """Ids, reasons and values, shown again after an error."""
        for page in (
            self.client.get(self.operate_address(Target("workflow", "cancel", HOSTILE))),
            self.send("cancel", HOSTILE, reason=""),
            self.send("send", HOSTILE, topic=HOSTILE, message=HOSTILE, reason=HOSTILE),
            self.client.post(url("workflow", "changelist"), {"action": "cancel", "_selected_action": ["a", HOSTILE]}),
        ):
            self.assert_safe(page)

    def test_lead_only_to_addresses_of_this_site(self):
        """Any other one is ignored."""
        address = self.operate_address(Target("workflow", "pause", "a"))
        for wanted, found in (
            ("/orders/7/", "/orders/7/"), ("https://evil.example/", None), ("//evil.example", None),
            ("javascript:alert(1)", None),
        ):  # fmt: skip
            answer = self.client.post(f"{address}?next={wanted}", sheet(confirmed="1"))
            self.assertEqual(found or url("workflow", "change", "a"), answer.url)

    def test_ask_by_how_many_rows_were_chosen(self):
        """One is not spoken of as several are."""
        chosen = {"action": "pause", "_selected_action": ["a", HOSTILE]}
        one = self.client.get(self.operate_address(Target("workflow", "pause", "a")))
        two = self.client.post(url("workflow", "changelist"), chosen)

        self.assertContains(one, "Pause 1 workflow?")
        self.assertContains(one, "It stops at its next step until it is resumed")
        self.assertContains(two, "Pause 2 workflows?")
        self.assertContains(two, "They stop at their next step until they are resumed")

    def test_say_of_one_row_that_it_would_stay_as_it_is(self):
        """Its page has no button for that, but an address may be old."""
        page = self.client.get(self.operate_address(Target("workflow", "purge", "a")))

        self.assertContains(page, "As it is now, nothing would be changed.")

    def test_give_json_as_many_lines_as_it_has(self):
        """Within bounds, beyond which it scrolls."""
        for lines, rows in ((1, 6), (9, 9), (50, 20)):
            page = self.send("send", message="[\n" * lines)

            self.assertIn(f' rows="{rows}"', str(page.context["form"]["message"]))

    def test_cost_a_bounded_number_of_queries(self):
        """The page that asks, and the one that acts."""
        with self.assertNumQueries(6):
            self.client.get(self.operate_address(Target("workflow", "cancel", "a")))
        with self.assertNumQueries(7):
            self.client.get(self.operate_address(Target("workflow", "fork", "a")))


class Forking(OperatingTestCase):
    def setUp(self):
        super().setUp()
        start("a")
        run_until_idle()

    def fork(self, **values):
        self.on_page(Target("workflow", "fork", "a"), confirmed="1", **values)
        return Workflow.objects.exclude(pk="a").first()

    def superuser(self):
        self.client.force_login(User.objects.create_superuser("root"))

    def test_shares_what_comes_before_a_step(self):
        """By position or name; the record knows the fork."""
        made = self.fork(place="step", step="2")

        self.assertEqual(("a", 1), (made.forked_from_id, made.steps.count()))
        self.assertEqual({"workflow": made.pk}, Operation.objects.get().after)

    def test_says_which_step_is_not_there(self):
        """Nothing is made."""
        page = self.on_page(Target("workflow", "fork", "a"), confirmed="1", place="step", step="nonsense")

        self.assertContains(page, "nonsense", 2)
        self.assertEqual((1, (0, 0)), (Workflow.objects.count(), self.records()))

    def test_offers_the_arguments_to_those_who_may_see_them(self):
        """And to nobody else, who cannot send any, either."""
        address = self.operate_address(Target("workflow", "fork", "a"))
        self.client.force_login(self.staff("blind", "view_workflow", "fork_workflow"))
        self.assertNotIn("arguments", self.client.get(address).context["form"].fields)
        self.assertEqual(
            Workflow.objects.get(pk="a").arguments, self.fork(place="beginning", arguments='["x"]').arguments
        )

        self.superuser()
        self.assertIn('"w"', self.client.get(address).context["form"]["arguments"].value())

    def test_offers_no_arguments_with_a_secret(self):
        """What pages hide is not shown for editing, either; without an edit the fork has it all the same."""
        stored = Workflow.objects.get(pk="a").arguments.replace('"w"', '"password=hunter2"')
        Workflow.objects.filter(pk="a").update(arguments=stored)

        page = self.client.get(self.operate_address(Target("workflow", "fork", "a")))

        self.assertNotContains(page, "hunter2")
        self.assertEqual(stored, self.fork(place="beginning", arguments="").arguments)

    def test_takes_edited_arguments(self):
        """As positional ones, or by name."""
        self.superuser()

        made = self.fork(place="beginning", arguments='{"kwargs": {"label": "edited"}}')

        self.assertIn("edited", made.arguments)

    def test_leaves_arguments_alone_that_were_not_edited(self):
        """Browsers send other ends of lines; what does not fit the code of today is copied as it is."""
        self.superuser()
        stored = '{"args":["w",1],"kwargs":{}}'
        Workflow.objects.filter(pk="a").update(arguments=stored)
        page = self.client.get(self.operate_address(Target("workflow", "fork", "a")))
        shown = page.context["form"]["arguments"].value()

        self.assertEqual(stored, self.fork(place="beginning", arguments=shown.replace("\n", "\r\n")).arguments)
        self.assertContains(
            self.on_page(
                Target("workflow", "fork", "a"), confirmed="1", place="beginning", arguments=shown.replace("1", "true")
            ),
            "too many positional arguments",
        )

    def test_refuses_arguments_that_do_not_fit(self):
        """No call, or none that the function takes."""
        self.superuser()

        self.assertIsNone(self.fork(place="beginning", arguments='{"label": 1}'))
        self.assertIsNone(self.fork(place="beginning", arguments="[1, 2, 3]"))


class Backfilling(OperatingTestCase):
    def setUp(self):
        super().setUp()
        Schedule.objects.all().delete()
        self.enterContext(at(NOON, hours=3))
        self.target = Target(
            "schedule",
            "backfill",
            str(make(workflow=takes_both, context="w").pk),
            {"start": "2031-05-01T12:00", "end": "2031-05-01T14:30"},
        )

    def post(self, **values):
        return self.client.post(self.operate_address(self.target), sheet(**{**self.target.values, **values}))

    def test_shows_what_would_be_started_before_it_is(self):
        """Each with the id of its tick."""
        asked = self.client.get(self.operate_address(self.target))
        page = self.post()

        self.assertContains(asked, 'name="look"')
        self.assertNotContains(asked, 'name="confirmed"')
        self.assertContains(page, "3 workflows would be started")
        self.assertIn("schedule:s:2031-05-01T12:00:00Z", self.text(page))
        self.assertEqual([], started())

    def test_shows_each_tick_on_the_clock_of_its_schedule(self):
        """The range is meant by the clock of the project, as the fields say, and ids are in UTC."""
        Schedule.objects.update(timezone="America/New_York")

        page = self.post()

        self.assertContains(page, "Thu 2031-05-01 06:00:00 EDT (-0400)")
        self.assertIn("schedule:s:2031-05-01T10:00:00Z", self.text(page))
        self.assertContains(page, "By the clock of Europe/Berlin.", 2)

    def test_starts_what_was_shown(self):
        """The record keeps the range and how many."""
        self.on_page(self.target)

        self.assertEqual(3, len(started()))
        self.assertEqual(3, Operation.objects.get().after["workflows"])

    def test_shows_it_again_if_the_range_was_changed(self):
        """What was confirmed is what was shown."""
        token = self.token(self.post())

        page = self.post(confirmed=token, end="2031-05-01T13:30")

        self.assertContains(page, "2 workflows would be started")
        self.assertEqual([], started())

    def test_refuses_too_much(self):
        """And an empty range, and what is no moment."""
        with mock.patch("durable_django.admin.operating.doing.MOST_FILLED", 2):
            self.assertContains(self.post(), "3 ticks are missing there, more than the 2")
        self.assertContains(self.post(end="2031-05-01T12:00"), "not after the beginning")
        self.assertContains(self.post(start="x"), "valid date")
        self.assertContains(self.post(start="0001-01-01T00:00"), "start must lie between the years 2 and 9998")
