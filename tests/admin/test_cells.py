"""Cells of lists."""

from django.test import SimpleTestCase

from durable_django.admin.cells import breakable
from tests.admin.support import HOSTILE


class ALongName(SimpleTestCase):
    def test_may_break_behind_its_dots_and_dashes(self):
        """Not in front of them, and nowhere else."""
        for name, shown in (
            ("documents.count_file", "documents.<wbr>count_<wbr>file"),
            ("order-SO-7/a", "order-<wbr>SO-<wbr>7/<wbr>a"),
            ("schedule:restock:2031", "schedule:<wbr>restock:<wbr>2031"),
            ("..a__", "..<wbr>a__"), ("mails", "mails"), ("-", "-"), ("", ""),
        ):  # fmt: skip
            self.assertEqual(shown, str(breakable(name)), name)

    def test_is_shown_as_text(self):
        """Whatever stands in it."""
        shown = str(breakable(HOSTILE)).replace("<wbr>", "")

        self.assertNotIn("<", shown)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", shown)
