"""Limits of a queue that somebody else has changed meanwhile: an operator, the database, or a newer release."""

from unittest import mock

from django.db import IntegrityError, OperationalError

from durable_django.models import Operation, Queue
from durable_django.models.queue import QueueQuerySet
from tests.admin.support import url
from tests.admin.test_queues import EMPTY, QueueTestCase


class TwoOperators(QueueTestCase):
    """One has the page open while the other one changes the queue."""

    def setUp(self):
        super().setUp()
        self.client.force_login(self.operator)
        self.seen = self.page("three", "queue").context["adminform"].form["seen"].value()

    def save(self, **values):
        """Send the form as it was opened, with what was typed into it."""
        sent = {**EMPTY, "concurrency": "3", "seen": self.seen, **values}
        return self.client.post(url("queue", "change", "three"), sent, follow=True)

    def limits(self):
        return Queue.objects.values_list("concurrency", "worker_concurrency").get(pk="three")

    def assert_nothing_saved(self, page, words, limits):
        self.assertContains(page, words)
        self.assertNotContains(page, "was changed successfully")
        self.assertEqual(limits, self.limits())
        self.assertFalse(Operation.objects.exists())

    def test_who_change_different_limits_both_do(self):
        """What one has not touched stays as the other has made it."""
        Queue.objects.filter(pk="three").edit(concurrency=9)

        self.save(worker_concurrency="7")

        self.assertEqual((9, 7), self.limits())

    def test_who_change_the_same_limit_are_told(self):
        """The second one, who sees then how it is; nothing is saved."""
        Queue.objects.filter(pk="three").edit(concurrency=9)

        page = self.save(concurrency="5")

        self.assert_nothing_saved(page, "somebody else has changed it meanwhile (At a time)", (9, None))
        self.assertContains(page, 'value="9"')

    def test_who_agree_are_not_told(self):
        """There is nothing to decide."""
        Queue.objects.filter(pk="three").edit(concurrency=5)

        self.assertContains(self.save(concurrency="5"), "was changed successfully")

    def test_of_whom_one_has_made_the_rest_otherwise(self):
        """What does not go with it any more is refused at its field."""
        Queue.objects.filter(pk="three").edit(concurrency=1)

        page = self.save(worker_concurrency="2")

        self.assert_nothing_saved(page, "This can never be reached", (1, None))

    def test_who_come_at_the_same_moment_are_judged_by_the_database(self):
        """Behind the form, under the lock of the row."""

        def edit(_rows, **_given):
            message = "Queue 'three': worker_concurrency (2) can never be reached, since concurrency is 1."
            raise ValueError(message)

        for error, words in (
            (edit, "Nothing was saved: Queue &#x27;three&#x27;: worker_concurrency (2) can never be reached"),
            (IntegrityError("limit_check violated\nDETAIL"), "The database has refused it: limit_check violated"),
            (OperationalError("deadlock detected"), "try again: deadlock detected"),
        ):
            with self.subTest(words), mock.patch.object(QueueQuerySet, "edit", autospec=True, side_effect=error):
                self.assert_nothing_saved(self.save(worker_concurrency="2"), words, (3, None))

    def test_of_whom_one_has_removed_the_queue(self):
        """Before the form is read, or behind that."""
        with mock.patch.object(QueueQuerySet, "edit", return_value=0):
            self.assert_nothing_saved(self.save(concurrency="5"), "Nothing was saved: the queue is gone.", (3, None))
        Queue.objects.filter(pk="three").delete()

        self.assertContains(self.save(concurrency="5"), "exist. Perhaps it was deleted?")

    def test_can_write_into_the_form_what_they_like(self):
        """What it says of the page that was shown is only compared."""
        for seen in ("{", "[]", "7", "[" * 100_000, '{"concurrency": [HOSTILE]}', '{"x": 1}', ""):
            with self.subTest(seen[:20]):
                self.assertEqual(200, self.save(seen=seen, concurrency="3").status_code)


class OfANewerRelease(QueueTestCase):
    """Its workers have declared limits that this one has never heard of."""

    def setUp(self):
        super().setUp()
        self.client.force_login(self.operator)
        declared = {"concurrency": 4, "rooms": 7}
        Queue.objects.filter(pk="three").update(declared=declared, concurrency=9, is_edited=True)

    def test_the_known_limits_are_shown(self):
        """As far as this release can."""
        self.assertContains(self.page("three", "queue"), "4 at a time")

    def test_the_known_limits_are_taken_back(self):
        """By the verb to revert."""
        self.assertContains(self.operate("queue", "revert", "three", reason="x"), "1 queue was reverted.")

        self.assertEqual((4, False), Queue.objects.values_list("concurrency", "is_edited").get(pk="three"))
