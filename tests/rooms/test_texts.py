"""base/texts.py: texts that cannot control a terminal or forge a record, durations as people say them."""

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from durable_django.base import texts


class APlainText(SimpleTestCase):
    @given(st.text(st.characters(codec=None, categories=None)))
    def test_is_printable_whatever_it_was(self, text):
        """One line, no control character, no surrogate; a plain text stays as it is; S14."""
        found = texts.plain(text)

        self.assertTrue(found.isprintable())
        found.encode()
        if text.isprintable():
            self.assertEqual(text, found)

    def test_shows_what_it_escaped(self):
        """Line breaks and escapes are readable."""
        self.assertEqual("a\\nb\\x1b[31m\\x00\\ud800", texts.plain("a\nb\x1b[31m\0\ud800"))

    def test_keeps_the_spaces_that_sentences_set(self):
        """Some languages set one that does not break in front of a colon."""
        self.assertEqual("dort\xa0: a\u202f!\\n", texts.plain_sentence("dort\xa0: a\u202f!\n"))

    @given(st.text(), st.integers(1, 50))
    def test_can_be_shortened(self, text, longest):
        """Never longer than asked, and marked if it was cut."""
        found = texts.shortened(text, longest)

        self.assertLessEqual(len(found), longest)
        self.assertEqual(len(text) > longest, found != text)


class ADuration(SimpleTestCase):
    def test_is_said_as_people_say_it(self):
        """From parts of a second to hours; - for none."""
        for seconds, words in ((None, "-"), (0.42, "0.42 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")):
            with self.subTest(seconds=seconds):
                self.assertEqual(words, texts.spoken_seconds(seconds))

    @given(st.floats(0, 1e9))
    def test_is_short(self, seconds):
        """Any of them fits in a table."""
        self.assertLess(len(texts.spoken_seconds(seconds)), 20)
