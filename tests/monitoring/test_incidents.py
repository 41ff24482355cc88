"""models/incident.py: many workers see what is wrong, and one of them is told that it is news."""

import threading

from django.db import connections
from django.test import TestCase, TransactionTestCase

from durable_django.models import Incident
from durable_django.models.incident import Kind
from durable_django.testing import travel


def note(subject="emails", message="late", kind=Kind.QUEUE_DELAYED):
    return Incident.objects.note(kind, subject, message)


class AnIncident(TestCase):
    def test_is_news_once(self):
        """Then only its sentence and its last moment change."""
        first = note(), note(message="later")
        (row,) = Incident.objects.open()

        self.assertEqual((True, False), first)
        self.assertEqual(
            ("queue_delayed", "emails", "later", None), (row.kind, row.subject, row.message, row.closed_at)
        )

    def test_is_of_one_kind_and_one_subject(self):
        """Others are incidents of their own."""
        self.assertEqual([True] * 3, [note(), note("mails"), note(kind=Kind.SCHEDULE_BROKEN)])

    def test_is_over_when_nobody_sees_it_any_more(self):
        """And news again if it comes back."""
        note()
        note("mails")
        with travel(seconds=100):
            note("mails")
            closed = Incident.objects.close(unseen_seconds=60)
            open_now = list(Incident.objects.open().values_list("subject", flat=True))
            again = note(), note("mails")

        self.assertEqual((1, ["mails"], (True, False)), (closed, open_now, again))

    def test_is_news_again_if_who_was_told_has_died(self):
        """Nobody else has heard of it: after a minute, the next one who sees it tells of it."""
        note()
        with travel(seconds=50):
            meanwhile = note()
        with travel(seconds=61):
            later = note(), note()
        Incident.objects.told(Kind.QUEUE_DELAYED, "emails")
        with travel(seconds=200):
            after = note()

        self.assertEqual((False, (True, False), False), (meanwhile, later, after))

    def test_of_which_others_know_is_noted_again_with_all_those_of_its_kind(self):
        """Each with its sentence; one that is over, was not told of, is new or of another kind is not."""
        for subject in ("a", "b", "over", "untold"):
            note(subject)
        note("a", kind=Kind.SCHEDULE_BROKEN)
        for kind, subject in [
            *((Kind.QUEUE_DELAYED, each) for each in ("a", "b", "over")),
            (Kind.SCHEDULE_BROKEN, "a"),
        ]:
            Incident.objects.told(kind, subject)
        Incident.objects.filter(subject="over").update(closed_at="2020-01-01T00:00Z")

        with travel(seconds=100):
            said = {subject: f"{subject} %s" for subject in ("a", "b", "over", "untold", "new")}
            with self.assertNumQueries(2):
                known = Incident.objects.note_again(Kind.QUEUE_DELAYED, said)
            closed = Incident.objects.close(unseen_seconds=60)

        left = Incident.objects.filter(closed_at=None).order_by("subject").values_list("subject", "message")
        self.assertEqual(({"a", "b"}, 2, [("a", "a %s"), ("b", "b %s")]), (known, closed, list(left)))

    def test_is_asked_of_nothing_by_no_statement(self):
        """As it is nearly always."""
        with self.assertNumQueries(0):
            self.assertEqual(set(), Incident.objects.note_again(Kind.QUEUE_DELAYED, {}))

    def test_that_has_come_back_is_to_be_told_of_again(self):
        """Though it was told of the first time."""
        note()
        Incident.objects.told(Kind.QUEUE_DELAYED, "emails")
        Incident.objects.close(unseen_seconds=-10)
        note()
        with travel(seconds=61):
            self.assertTrue(note())

    def test_is_forgotten_in_the_end(self):
        """When it has been over for long; what is open stays."""
        note()
        note("mails")
        Incident.objects.filter(subject="emails").update(closed_at="2020-01-01T00:00Z")

        self.assertEqual(1, Incident.objects.forget(after_seconds=86400))
        self.assertEqual(["mails"], list(Incident.objects.known().values_list("subject", flat=True)))


class ATurn(TestCase):
    def test_is_that_of_the_first_who_asks(self):
        """Nobody else has it until the time is over; and it is no incident."""
        first = [Incident.objects.take_turn(10) for _worker in range(3)]
        with travel(seconds=11):
            later = [Incident.objects.take_turn(10) for _worker in range(3)]

        self.assertEqual(([True, False, False], [True, False, False]), (first, later))
        self.assertFalse(Incident.objects.known().exists())


class ManyAtTheSameTime(TransactionTestCase):
    def answers(self, act, count=8):
        """Let so many threads do the same at the same moment. Return how many were told yes."""
        barrier, found = threading.Barrier(count), []

        def ask():
            barrier.wait(30)
            try:
                found.append(act())
            finally:
                connections.close_all()

        threads = [threading.Thread(target=ask) for _number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(count, len(found))
        return sum(found)

    def test_one_is_told_of_what_is_new(self):
        """Whoever makes the row."""
        self.assertEqual([1, 0], [self.answers(note), self.answers(note)])

    def test_one_is_told_of_what_has_come_back(self):
        """Whoever opens it again."""
        note()
        Incident.objects.close(unseen_seconds=-10)

        self.assertEqual([1, 0], [self.answers(note), self.answers(note)])

    def test_one_is_told_of_what_a_dead_one_has_not_said(self):
        """Whoever comes first."""
        note()
        with travel(seconds=61):
            self.assertEqual([1, 0], [self.answers(note), self.answers(note)])

    def test_one_has_the_turn(self):
        """The first one of all, and each later one."""
        first = self.answers(lambda: Incident.objects.take_turn(10))
        with travel(seconds=11):
            later = self.answers(lambda: Incident.objects.take_turn(10))

        self.assertEqual((1, 1), (first, later))
