"""base/ids.py: generated ids, places in line, and which texts may be ids."""

import threading
import time
import unicodedata
import uuid
from unittest import mock

from django.test import SimpleTestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st

from durable_django.base import clock, ids

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=300)


class AGeneratedId(SimpleTestCase):
    def test_is_a_time_ordered_uuid(self):
        """Version 7, variant of RFC 9562, with the milliseconds of now in front."""
        made = uuid.UUID(ids.new_id())

        self.assertEqual((7, uuid.RFC_4122), (made.version, made.variant))
        self.assertAlmostEqual(time.time(), (made.int >> 80) / 1000, delta=5)

    def test_is_greater_than_the_one_before(self):
        """Within a millisecond a counter orders them: ids of one process are ordered as text."""
        with mock.patch.object(clock, "wall_microseconds", return_value=1_800_000_000_000_000):
            ids._sequence = iter(range(4096))
            self.addCleanup(setattr, ids, "_sequence", iter(range(10**9)))
            made = [ids.new_id() for _ in range(1000)]

        self.assertEqual(sorted(made), made)

    def test_is_never_made_twice(self):
        """Not in many threads either."""
        made = []
        threads = [threading.Thread(target=lambda: made.extend(ids.new_id() for _ in range(500))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        self.assertEqual(2000, len(set(made)))

    def test_is_a_valid_id(self):
        """What is generated could have been chosen."""
        self.assertTrue(ids.validate_id(ids.new_id()))


class APlaceInLine(SimpleTestCase):
    def test_is_strictly_increasing(self):
        """In one thread and in many, also if the clock stands still or goes back."""
        moments = iter([100, 100, 99, 50, 200])
        with (
            mock.patch.object(ids, "_last_line", 0),
            mock.patch.object(clock, "wall_microseconds", lambda: next(moments)),
        ):
            lines = [ids.next_line() for _ in range(5)]

        self.assertEqual([100, 101, 102, 103, 200], lines)

    def test_is_given_out_once(self):
        """No two threads get the same."""
        lines = []
        threads = [threading.Thread(target=lambda: lines.extend(ids.next_line() for _ in range(500))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        self.assertEqual(2000, len(set(lines)))


class AChosenId(SimpleTestCase):
    @given(ANY_TEXT)
    def test_is_returned_as_it_is_or_refused_for_a_reason(self, text):
        """Refused are blanks around it, control characters, surrogates, and too many characters; nothing else."""
        is_bad = (
            not text.strip()
            or text != text.strip()
            or len(text) > 255
            or any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)
        )
        if is_bad:
            with self.assertRaises(ValueError):
                ids.validate_id(text)
        else:
            self.assertIs(text, ids.validate_id(text))

    @given(st.from_regex(r"[!-~]([ -~]{0,200}[!-~])?", fullmatch=True))
    def test_of_plain_ascii_is_fine(self, text):
        """Any printable text that neither begins nor ends with a blank."""
        self.assertIs(text, ids.validate_id(text))

    @override_settings(DURABLE_DJANGO={"MAX_ID_LENGTH": 1000})
    def test_is_never_longer_than_its_column(self):
        """A limit over 255 (which the checks refuse) still means 255."""
        with self.assertRaisesMessage(ValueError, "allows 255"):
            ids.validate_id("x" * 256)
