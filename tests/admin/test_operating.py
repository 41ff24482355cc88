"""Verbs in the admin: what they ask, what they do, what they say, and what is recorded of it."""

from unittest import mock

from django.contrib.admin.models import LogEntry
from django.db import OperationalError

from durable_django.admin.operating import confirming
from durable_django.models import Message, Operation, Queue, Schedule, Workflow
from durable_django.models.operation import OperationQuerySet
from durable_django.testing import run_until_idle
from tests.admin.operating import OperatingTestCase, Target
from tests.admin.support import HOSTILE, sheet, url
from tests.behaviour.scheduling import NOON, at, make, started
from tests.sample.scheduled import takes_both
from tests.sample.workflows import two_marks


def start(*keys, **options):
    for key in keys:
        two_marks.using(id=key, **options).start("w")


class Cancelling(OperatingTestCase):
    def cancel(self, *keys, **values):
        return self.operate("workflow", "cancel", *keys, **{"reason": "flood", "children": "on", **values})

    def test_says_honestly_what_was_changed(self):
        """Those that have ended stay as they are, and are counted."""
        start("a", "b", "c")
        Workflow.objects.filter(pk="b").cancel()

        page = self.cancel("a", "b", "c")

        self.assertContains(page, "2 workflows were cancelled. 1 had ended already.")
        self.assertEqual(["a", "c"], list(Operation.objects.order_by("object_id").values_list("object_id", flat=True)))

    def test_records_who_did_what_to_which_and_why(self):
        """In the table of operations, and in the log of the admin."""
        start("a")

        self.cancel("a")

        found = Operation.objects.get()
        self.assertEqual(
            ("cancel", "workflow", "a", "operator", "flood", 1),
            (found.verb, found.object_kind, found.object_id, found.actor, found.reason, found.chosen),
        )
        self.assertEqual({"status": "queued", "reason": ""}, found.before)
        self.assertEqual({"status": "cancelled", "reason": "flood"}, found.after)
        entry = LogEntry.objects.get()
        self.assertEqual(
            ("operator", "a", "Cancelled. flood"), (entry.user.username, entry.object_id, entry.change_message)
        )

    def test_records_what_ends_below_as_well(self):
        """Each child has a record of its own, and the operator is told of them."""
        start("a", "a-1")
        Workflow.objects.filter(pk="a-1").update(parent_id="a")

        page = self.cancel("a")

        self.assertContains(page, "1 workflow was cancelled. Below it, 1 other one, too.")
        self.assertEqual({"a", "a-1"}, set(Operation.objects.values_list("object_id", flat=True)))
        self.assertEqual(2, LogEntry.objects.count())

    def test_leaves_what_is_below_if_it_is_told_so(self):
        """The box is not ticked."""
        start("a", "a-1")
        Workflow.objects.filter(pk="a-1").update(parent_id="a")

        self.operate("workflow", "cancel", "a", reason="flood")

        self.assertEqual(["a-1"], list(Workflow.objects.queued().values_list("pk", flat=True)))

    def test_needs_a_reason(self):
        """It is destructive; what was typed stays."""
        start("a")

        page = self.cancel("a", reason="  ")

        self.assertContains(page, "This field is required.")
        self.assertTrue(page.context["form"]["children"].value())
        self.assertEqual((0, 0), self.records())

    def test_acts_on_all_that_match_up_to_a_cap(self):
        """The others are left for the next form, which the page says."""
        start(*"abcd")
        with mock.patch.object(confirming, "MOST_CHANGED", 3):
            asked = self.client.post(
                url("workflow", "changelist"), {"action": "cancel", "_selected_action": "a", "select_across": "1"}
            )
            page = self.operate("workflow", "cancel", "a", select_across="1", confirmed="3", reason="flood")

        self.assertContains(asked, "One form changes at most 3")
        self.assertContains(page, "3 workflows were cancelled.")
        self.assertEqual(1, Workflow.objects.queued().count())

    def test_of_all_that_match_keeps_to_the_filters(self):
        """Also when it is done."""
        start("a", "b")
        Workflow.objects.filter(pk="b").pause()

        self.client.post(
            f"{url('workflow', 'changelist')}?status__exact=paused",
            {"action": "cancel", "_selected_action": "b", "select_across": "1", "confirmed": "1", **sheet(reason="x")},
        )

        self.assertEqual(
            [("a", "queued"), ("b", "cancelled")], list(Workflow.objects.order_by("pk").values_list("pk", "status"))
        )

    def test_asks_again_if_more_match_by_then(self):
        """Nothing happens to rows that nobody has seen counted."""
        start("a", "b")

        page = self.operate("workflow", "cancel", "a", select_across="1", confirmed="1", reason="flood")

        self.assertEqual(2, page.context["count"])
        self.assertEqual((2, (0, 0)), (Workflow.objects.queued().count(), self.records()))

    def test_is_bounded_in_queries(self):
        """Asking and doing, for many rows."""
        start(*(f"w{number}" for number in range(30)))
        keys = [f"w{number}" for number in range(30)]
        chosen = {"action": "cancel", "_selected_action": keys}

        with self.assertNumQueries(9):
            self.client.post(url("workflow", "changelist"), chosen)
        with self.assertNumQueries(22):
            self.client.post(url("workflow", "changelist"), {**chosen, "confirmed": "30", **sheet(reason="x")})


class TheRecord(OperatingTestCase):
    def setUp(self):
        super().setUp()
        self.targets = self.make_targets()

    def assert_nothing_without(self, owner, method):
        before = self.state()
        for target in self.targets:
            with self.subTest(verb=target.verb, kind=target.kind):
                with (
                    mock.patch.object(owner, method, side_effect=RuntimeError("disk full")),
                    self.assertRaisesMessage(RuntimeError, "disk full"),
                ):
                    self.on_page(target)
                self.assertEqual((before, (0, 0)), (self.state(), self.records()))

    def test_is_written_with_the_change_or_the_change_is_undone(self):
        """For every verb."""
        self.assert_nothing_without(OperationQuerySet, "record")

    def test_of_the_admins_log_as_well(self):
        """For every verb."""
        self.assert_nothing_without(type(LogEntry.objects), "log_actions")

    def test_of_limits_as_well(self):
        """The form of a queue is a verb, too."""
        for owner, method in ((OperationQuerySet, "record"), (type(LogEntry.objects), "log_actions")):
            with (
                mock.patch.object(owner, method, side_effect=RuntimeError("disk full")),
                self.assertRaises(RuntimeError),
            ):
                self.client.post(url("queue", "change", "for-pause"), {"concurrency": "5"})
        self.assertIsNone(Queue.objects.get(pk="for-pause").concurrency)

    def test_makes_a_form_act_once(self):
        """Sent twice it says so, and changes nothing: nothing is started, sent or forked again."""
        for target in self.targets:
            if target.verb != "purge":
                with self.subTest(verb=target.verb, kind=target.kind):
                    self.assert_acts_once(target)

    def assert_acts_once(self, target):
        address = self.operate_address(target)
        sent = sheet(**target.values)
        sent["confirmed"] = self.token(self.client.post(address, sent))
        self.client.post(address, sent)
        after = self.state(), self.records()

        page = self.client.post(address, sent, follow=True)

        # There is nothing to show for the range any more.
        self.assertContains(page, "This was done already" if target.verb != "backfill" else "Nothing is missing there")
        self.assertEqual(after, (self.state(), self.records()))

    def test_arbitrates_between_two_who_send_a_form_at_the_same_time(self):
        """Both have looked whether it was sent before; the second one is undone."""
        target = next(each for each in self.targets if each.verb == "trigger")
        values = {"form_id": "7c0f3a52-0c4e-4d39-a1a1-2f8f6f1f0a11", "confirmed": "1"}
        self.on_page(target, **values)
        after = self.state()
        answers = iter([False, True])

        with mock.patch.object(OperationQuerySet, "has", lambda _rows, _form_id: next(answers)):
            page = self.client.post(self.operate_address(target), sheet(**{**target.values, **values}), follow=True)

        self.assertContains(page, "This was done already")
        self.assertEqual((after, (1, 1)), (self.state(), self.records()))

    def test_is_shown_on_the_page_of_its_row(self):
        """The newest first, with what was changed and why."""
        target = next(each for each in self.targets if each.kind == "queue" and each.verb == "pause")
        self.on_page(target, reason="too\nmuch")

        page = self.client.get(url("queue", "change", target.key))

        self.assertContains(page, "What operators did")
        self.assertContains(page, "is_paused: False → True")
        self.assertContains(page, "too<br>much")


class TheListOfOperations(OperatingTestCase):
    def setUp(self):
        super().setUp()
        start("a")
        self.operate("workflow", "cancel", "a", reason=HOSTILE)
        Operation.objects.record(
            [type("Change", (), {"object_id": HOSTILE, "before": [HOSTILE], "after": {HOSTILE: HOSTILE}})],
            verb="<b>", object_kind="queue", actor=HOSTILE,
        )  # fmt: skip

    def test_is_read_only_and_for_those_who_may_view_it(self):
        """Nobody changes or deletes what was done."""
        key = Operation.objects.first().pk
        self.assertEqual(
            {403},
            {
                self.client.post(url("operation", view, str(key)), {"post": "yes"}).status_code
                for view in ("change", "delete")
            },
        )
        self.client.force_login(self.staff("looker", "view_workflow"))
        self.assertEqual(403, self.list_page("operation").status_code)
        self.assertEqual(2, Operation.objects.count())

    def test_is_safe_whatever_the_rows_say(self):
        """Also on the pages of the rows and in the log of the admin."""
        keys = Operation.objects.values_list("pk", flat=True)
        for page in (
            self.list_page("operation"), *(self.page(str(key), "operation") for key in keys), self.page("a"),
            self.client.get(url("workflow", "history", "a")),
        ):  # fmt: skip
            self.assert_safe(page)

    def test_finds_those_of_one_row(self):
        """By its whole id; other lookups are refused."""
        self.assertEqual(1, len(self.shown(self.list_page("operation", q="a"))))
        self.assertEqual(1, len(self.shown(self.list_page("operation", kind="queue"))))
        for lookup in ({"reason__regex": "x"}, {"kind": "x"}, {"actor": "x"}):
            self.assertIn(self.list_page("operation", **lookup).status_code, {302, 400})


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

    def test_cost_a_bounded_number_of_queries(self):
        """The page that asks, and the one that acts."""
        with self.assertNumQueries(6):
            self.client.get(self.operate_address(Target("workflow", "cancel", "a")))
        with self.assertNumQueries(6):
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
        self.client.force_login(self.operator.__class__.objects.create_superuser("root"))

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
        self.assertNotIn("arguments", self.client.get(address).context["form"].fields)
        self.assertEqual(
            Workflow.objects.get(pk="a").arguments, self.fork(place="beginning", arguments='["x"]').arguments
        )

        self.superuser()
        self.assertIn('"w"', self.client.get(address).context["form"]["arguments"].value())

    def test_takes_edited_arguments(self):
        """As positional ones, or by name."""
        self.superuser()

        made = self.fork(place="beginning", arguments='{"kwargs": {"label": "edited"}}')

        self.assertIn("edited", made.arguments)

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
        self.assertContains(page, "schedule:s:2031-05-01T12:00:00Z")
        self.assertEqual([], started())

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


class ABusyDatabase(OperatingTestCase):
    def test_is_told_to_the_operator(self):
        """Nothing is changed, and it can be tried again."""

        start("a")
        with mock.patch(
            "durable_django.models.operators.stops.paused", side_effect=OperationalError("deadlock detected\nDETAIL")
        ):
            page = self.operate("workflow", "pause", "a")

        self.assertContains(page, "try again: deadlock detected")
        self.assertEqual((0, 0), self.records())
