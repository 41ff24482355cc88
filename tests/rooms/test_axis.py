"""admin/workflow_page/axis.py: moments on a line, with idle time folded."""

from datetime import UTC, datetime, timedelta

from django.test import SimpleTestCase

from durable_django.admin.workflow_page.axis import axis_of

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def line(seconds, *busy, is_folding=True):
    spans = [(at(one), at(two)) for one, two in busy]
    return axis_of((at(0), at(seconds)), spans, 0, 1000, is_folding=is_folding)


class TheLine(SimpleTestCase):
    def test_runs_evenly_while_nothing_is_folded(self):
        """From the first moment to the last."""
        axis = line(100, (0, 100))

        self.assertEqual([0, 250, 1000], [axis.place(at(seconds)) for seconds in (0, 25, 100)])
        self.assertEqual(at(25), axis.moment(250))

    def test_holds_moments_that_lie_outside(self):
        """At its ends: clocks of several machines meet in one workflow."""
        axis = line(100, (0, 100))

        self.assertEqual([0, 1000], [axis.place(at(seconds)) for seconds in (-50, 500)])

    def test_folds_long_idle_stretches(self):
        """A sleep of three days between two seconds of work is a narrow band."""
        axis = line(260_000, (0, 1), (259_999, 260_000))

        (fold,) = axis.folds
        self.assertEqual(259_998, fold.seconds)
        self.assertEqual(46, fold.right - fold.left)
        self.assertEqual(477, axis.place(at(1)))
        self.assertEqual(1000, axis.place(at(260_000)))
        self.assertIsNone(axis.moment(500))

    def test_folds_nothing_that_is_short(self):
        """Neither in comparison, nor below a second."""
        self.assertEqual([], line(100, (0, 50), (60, 100)).folds)
        self.assertEqual([], line(0.9, (0, 0.01)).folds)

    def test_folds_nothing_if_nothing_ran(self):
        """There would be nothing left."""
        self.assertEqual([], line(1000).folds)

    def test_folds_nothing_if_asked_not_to(self):
        """Full length."""
        self.assertEqual([], line(260_000, (0, 1), is_folding=False).folds)

    def test_folds_the_longest_of_many(self):
        """Some room stays for what ran."""
        busy = [(1000 * number, 1000 * number + 1) for number in range(30)]

        self.assertEqual(6, len(line(30_000, *busy).folds))

    def test_of_no_length_stands_at_its_beginning(self):
        """A workflow that was just made."""
        self.assertEqual(0, line(0).place(at(0)))
