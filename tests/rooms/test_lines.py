"""worker/lines.py: the lines that a worker knows to have work, their turns, and those that limits hold back."""

from unittest import mock

from django.test import SimpleTestCase

from durable_django.base import clock
from durable_django.models.room import Round
from durable_django.worker.lines import Lines
from durable_django.worker.looks import Line

FIRST, SECOND, ASYNC = Line("first", False), Line("second", False), Line("first", True)


class LinesTestCase(SimpleTestCase):
    def setUp(self):
        self.now = 1000.0
        patched = mock.patch.object(clock, "elapsed_seconds", lambda: self.now)
        patched.start()
        self.addCleanup(patched.stop)
        self.lines = Lines()


class Known(LinesTestCase):
    def test_have_their_turn_in_order(self):
        """One that had enough for its claim comes behind the others."""
        self.lines.note([FIRST, SECOND])
        self.lines.note([SECOND, FIRST])
        self.lines.take(FIRST)
        self.lines.keep(FIRST)

        self.assertEqual([SECOND, FIRST], list(self.lines))

    def test_share_the_free_slots_of_their_kind(self):
        """Rounded up, so that none is left empty."""
        self.lines.note([FIRST])
        alone = self.lines.share(FIRST, 8)
        self.lines.note([FIRST, SECOND, ASYNC])

        self.assertEqual((8, 4, 4, 100), (alone, self.lines.share(FIRST, 8), self.lines.share(SECOND, 7),
                                          self.lines.share(ASYNC, 100)))  # fmt: skip

    def test_are_forgotten(self):
        """After an error nothing is known."""
        self.lines.note([FIRST])
        self.lines.hold_back(SECOND, 60)
        self.lines.forget()

        self.assertFalse(self.lines)
        self.lines.note([SECOND])
        self.assertEqual([SECOND], list(self.lines))


class HeldBack(LinesTestCase):
    def setUp(self):
        super().setUp()
        self.lines.note([FIRST])
        self.lines.take(FIRST)

    def hold_back(self, seconds):
        answer = self.lines.hold_back(FIRST, seconds)
        self.lines.note([FIRST])
        return answer

    def test_are_asked_once_more_soon(self):
        """A ring may have been skipped while the claim ran."""
        first = self.hold_back(60)
        self.now += first
        self.lines.note([FIRST])
        again = list(self.lines)
        self.lines.take(FIRST)

        self.assertEqual((0.015, [FIRST], 60), (first, again, self.hold_back(60)))

    def test_are_left_alone_until_then(self):
        """Whatever a look finds in them."""
        self.hold_back(60)
        self.now += 0.01
        self.lines.note([FIRST])

        self.assertEqual([], list(self.lines))

    def test_are_let_in_when_one_of_their_queue_has_ended(self):
        """And not when one of another has."""
        self.hold_back(60)

        self.assertEqual((False, True), (self.lines.let_in("second"), self.lines.let_in("first")))
        self.lines.note([FIRST])
        self.assertEqual([FIRST], list(self.lines))

    def test_are_at_rest_until_they_are_asked_again(self):
        """If nothing of their queue runs; a line that was never asked is not."""
        self.lines.hold_back(FIRST, 60, is_at_rest=True)
        answers = [self.lines.are_at_rest([FIRST]), self.lines.are_at_rest([FIRST, SECOND])]
        self.now += 1
        self.lines.note([FIRST])
        self.lines.take(FIRST)

        self.assertEqual([True, False, False], [*answers, self.lines.are_at_rest([FIRST])])

    def test_go_on_in_their_turn_with_a_round_that_is_not_at_its_end(self):
        """After ten claims it is left for the next time that they are asked; at its end nothing is left of it."""
        answers = []
        for _number in range(10):
            answers.append(self.lines.go_on(FIRST, Round("a", has_turned=False)))
            if FIRST in list(self.lines):
                self.lines.take(FIRST)
        left = self.lines.round_of(FIRST)

        self.assertEqual(([True] * 9 + [False], Round("a", has_turned=False)), (answers, left))
        self.assertEqual((False, None), (self.lines.go_on(FIRST, None), self.lines.round_of(FIRST)))

    def test_begin_a_new_round_when_somebody_has_rung(self):
        """It may be for a partition that the old one has passed."""
        self.lines.go_on(FIRST, Round("a", has_turned=True))
        self.hold_back(60)

        self.lines.let_in()

        self.assertIsNone(self.lines.round_of(FIRST))

    def test_are_all_let_in_by_a_ring(self):
        """Another partition may have work."""
        self.hold_back(60)
        self.lines.let_in()
        self.lines.note([FIRST])

        self.assertEqual([FIRST], list(self.lines))
