"""admin/workflow_page/drawing.py: lanes as numbers for an SVG, in which nothing stands in the way of something else."""

from datetime import UTC, datetime, timedelta

from django.test import SimpleTestCase

from durable_django.admin.workflow_page import drawing
from durable_django.admin.workflow_page.axis import axis_of
from durable_django.admin.workflow_page.drawing import Lane, Span

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class TheScale(SimpleTestCase):
    """Behind a night in which nothing ran, which is folded, it is the clock."""

    def texts(self, seconds):
        """Return what it says behind the night, if so much time passes before it and behind it."""
        night = timedelta(hours=9)
        busy = [(NOW, NOW + timedelta(seconds=seconds)), (NOW + night, NOW + night + timedelta(seconds=seconds))]
        axis = axis_of((NOW, busy[-1][1]), busy, drawing.LEFT, drawing.RIGHT, is_folding=True)
        return [mark.text for mark in drawing.drawing_of([], axis, NOW, is_live=False).grid][-2:]

    def test_says_the_time_to_the_second(self):
        """As long as that tells its places apart."""
        for text in self.texts(30):
            self.assertRegex(text, r"^\d\d:00:\d\d$")

    def test_says_fractions_where_all_happens_in_a_second(self):
        """No two places have the same text."""
        first, last = self.texts(0.5)

        self.assertNotEqual(first, last)
        self.assertRegex(last, r"^\d\d:00:00\.50$")


class ANoteOfALane(SimpleTestCase):
    """How many attempts or retries it took, beside the bars."""

    def row(self, begin, end, label="sample.two_marks", note="2 attempts"):
        """Return the lane of what took the time between two parts of the whole, in hundredths."""
        moments = [NOW + timedelta(seconds=part) for part in (0, 100, begin, end)]
        axis = axis_of((moments[0], moments[1]), (), drawing.LEFT, drawing.RIGHT, is_folding=False)
        lane = Lane(label, "", "running", [Span("durable-run-time", *moments[2:])], note=note)
        (row,) = drawing.drawing_of([lane], axis, NOW, is_live=False).rows
        return row

    def test_stands_behind_them(self):
        """With some room between."""
        row = self.row(0, 50)

        self.assertGreater(float(row.note.x), float(row.bars[0].x) + float(row.bars[0].width) + 4)
        self.assertEqual("durable-behind", row.note.kind)

    def test_stands_in_front_of_them_where_there_is_no_room(self):
        """It touches neither the bar nor the label, which is cut for it."""
        for begin in (0, 1, 5):
            row = self.row(begin, 100, label="a" * 60)

            self.assertEqual("durable-before", row.note.kind)
            self.assertLess(float(row.note.x) + 4, float(row.bars[0].x))
            # Letters of 12 and 11 px, in a bold and in a normal face.
            end_of_label = float(row.label_x) + 7.8 * len(row.label)
            self.assertLess(end_of_label, float(row.note.x) - 6 * len(row.note.text))

    def test_does_not_stand_on_the_line_at_which_time_begins(self):
        """In front of bars that begin soon behind it, it stands in front of that as well."""
        for begin in (0, 1, 5, 30):
            note = self.row(begin, 100).note
            begins, ends = float(note.x) - 6 * len(note.text), float(note.x)

            self.assertFalse(begins < drawing.LEFT < ends + 4, begin)

    def test_leaves_a_short_label_alone(self):
        """It is not cut for nothing."""
        self.assertEqual("sample.two_marks", self.row(0, 100).label)
