"""
A language that nobody speaks: every text of a catalogue in letters that no code and no row of a test has.

What a page still says in plain letters is data, or a text that no catalogue would reach.
"""

import re
from contextlib import contextmanager
from functools import cache
from html.parser import HTMLParser
from unittest import mock

from django.utils import translation
from django.utils.translation import trans_real

LANGUAGE = "xx"
#: What a translator leaves as it is: placeholders, tags, entities.
_LEFT = re.compile(r"%\(\w+\)[-+ #0]*[\d.]*[a-zA-Z]|%[sdr%]|\{\w*\}|<[^>]*>|&#?\w+;")
#: Letters of full width: as other than the plain ones as can be, and with a capital for each.
_LETTERS = {number: number + 0xFEE0 for number in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1))}
#: And a space that does not break, which languages set in front of a colon: what escapes it spells it in plain letters.
_SIGNS = {**_LETTERS, ord(" "): 0xA0}
_SHOWN_ATTRIBUTES = ("title", "aria-label", "placeholder", "alt", "data-on", "data-off")
_SILENT = ("script", "style")


@cache
def said(text):
    """Return a text in that language."""
    pieces = _LEFT.split(text)
    left = [*_LEFT.findall(text), ""]
    return "".join(piece.translate(_SIGNS) + other for piece, other in zip(pieces, left, strict=True))


def is_spoken_in(text):
    """Whether some of a text is in that language."""
    return any(chr(letter) in text for letter in _LETTERS.values())


class Catalogue:
    """What Django asks of the catalogue of a language."""

    def language(self):
        return LANGUAGE

    def to_language(self):
        return LANGUAGE

    def gettext(self, message):
        return said(message.rpartition(trans_real.CONTEXT_SEPARATOR)[2])

    def ngettext(self, singular, plural, number):
        return self.gettext(singular if number == 1 else plural)


@contextmanager
def spoken():
    """Let the block speak it."""
    with mock.patch.dict(trans_real._translations, {LANGUAGE: Catalogue()}), translation.override(LANGUAGE):
        yield


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.within = [], []

    def handle_starttag(self, tag, attrs):
        self.within.append(tag)
        given = dict(attrs)
        is_button = tag == "input" and given.get("type") in {"submit", "button", "reset"}
        names = (*_SHOWN_ATTRIBUTES, "value") if is_button else _SHOWN_ATTRIBUTES
        self.texts += [given[name] for name in names if given.get(name)]
        if tag in {"input", "img", "br", "link", "meta", "hr"}:
            self.within.pop()

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.within and self.within[-1] == tag:
            self.within.pop()

    def handle_endtag(self, tag):
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data):
        if data.strip() and not set(_SILENT) & set(self.within):
            self.texts.append(data.strip())


def texts_of(page):
    """Return what people see or hear of a page: its texts, and those of attributes."""
    reader = _Reader()
    # Where a line may break, no text ends.
    reader.feed(page.replace("<wbr>", ""))
    return reader.texts
