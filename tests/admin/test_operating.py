"""Verbs in the admin: what they ask, what they do, what they say, and what is recorded of it."""

from unittest import mock

from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.utils import timezone

from durable_django.admin.operating import confirming
from durable_django.models import Operation, Queue, Workflow
from durable_django.models.operation import OperationQuerySet
from tests.admin.operating import OperatingTestCase
from tests.admin.support import HOSTILE, sheet, url
from tests.sample.workflows import two_marks


def start(*keys):
    for key in keys:
        two_marks.using(id=key).start("w")


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

        with self.assertNumQueries(10):
            self.client.post(url("workflow", "changelist"), chosen)
        with self.assertNumQueries(23):
            self.client.post(url("workflow", "changelist"), {**chosen, "confirmed": "30", **sheet(reason="x")})


class WhatIsBelow(OperatingTestCase):
    """Two children of a workflow that the operator has not chosen."""

    def setUp(self):
        super().setUp()
        start("a", "a-1", "a-2")
        Workflow.objects.filter(pk__startswith="a-").update(parent_id="a")
        Workflow.objects.cancel()

    def recorded(self):
        return sorted(Operation.objects.values_list("verb", "object_id"))

    def test_is_recorded_where_it_is_purged(self):
        """Each once, though a purge takes several transactions."""
        page = self.operate("workflow", "purge", "a", reason="old", children="on")

        self.assertContains(page, "1 workflow was purged. Below, 2 other ones, too.")
        self.assertEqual([("purge", "a"), ("purge", "a-1"), ("purge", "a-2")], self.recorded())
        self.assertFalse(Workflow.objects.exists())

    def test_is_left_alone_otherwise(self):
        """And then the bare row of the parent stays, as the verb has it."""
        self.operate("workflow", "purge", "a", reason="old")

        self.assertEqual([("purge", "a")], self.recorded())
        self.assertEqual(3, Workflow.objects.count())

    def test_is_counted_with_those_that_live(self):
        """Which are not purged."""
        start("b")

        page = self.operate("workflow", "purge", "a-1", "b", reason="old")

        self.assertContains(page, "1 workflow was purged. 1 is not over yet.")


class Resuming(OperatingTestCase):
    """Two of a group of failures have the same deduplication key, as have those that were started again and again."""

    def setUp(self):
        super().setUp()
        start("a", "b", "c", "d")
        Workflow.objects.update(status="failed", finished_at=timezone.now())
        Workflow.objects.filter(pk__in=("a", "b")).update(deduplication_key="k")

    def test_is_held_back_by_no_key_but_its_own(self):
        """Only one can hold it; the others of the group go on, each with its record."""
        page = self.operate("workflow", "resume", "a", "b", "c", "d")

        self.assertEqual(["a", "c", "d"], sorted(Workflow.objects.queued().values_list("pk", flat=True)))
        self.assertContains(page, "3 workflows were resumed.")
        self.assertContains(page, "Workflow &#x27;a&#x27; already holds the deduplication key &#x27;k&#x27;")
        self.assertEqual(["a", "c", "d"], sorted(Operation.objects.values_list("object_id", flat=True)))

    def test_of_one_whose_key_is_taken_is_asked_for_again(self):
        """Nothing is changed, and the form says why."""
        Workflow.objects.filter(pk="a").resume()

        page = self.operate("workflow", "resume", "b")

        self.assertContains(page, "Workflow &#x27;a&#x27; already holds the deduplication key &#x27;k&#x27;")
        self.assertFalse(Operation.objects.exists())


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
        self.assertContains(page, "is paused: No → Yes")
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
