"""Payloads on the page: shown without their secrets, cut, with a download; or only their size, for who may not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from durable_django.admin.workflow_page.addresses import Addresses
from durable_django.base.texts import plain_lines, plain_sentence, shortened
from durable_django.management.history import Stored
from durable_django.management.showing import Showing

#: Characters of one payload on the page, of one in a line of a table.
LONGEST_BLOCK = 20_000
LONGEST_LINE = 400
WIDTH = 100


@dataclass(frozen=True)
class Block:
    """
    One payload as it stands on the page.

    text      what is shown of it; empty if it may not be seen
    note      what is to be said beside it: that it is hidden, or not all of it
    download  where all of it can be had; empty if it may not, or is here in full
    """

    text: str = ""
    note: str = ""
    download: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.note)


@dataclass(frozen=True)
class Values:
    """
    How payloads come onto the page.

    is_permitted  whether the user may see them
    """

    showing: Showing
    addresses: Addresses
    workflow_id: str
    is_permitted: bool

    def block(self, stored: Stored, source: str, describe: Callable[[], str]) -> Block:
        """
        Return a payload over several lines; nothing if there is none.

        source    what its download is called
        describe  makes the text of it
        """
        if stored.head is None:
            return Block()
        if not self.is_permitted:
            return Block(note=self.hidden(stored))
        text = plain_lines(describe())
        is_whole = not stored.is_cut and len(text) < LONGEST_BLOCK
        note = "" if is_whole else _("Not all of it is shown: it has %(size)s.") % {"size": _size(stored.length)}
        return Block("" if stored.is_cut else text, note, self.addresses.payload(self.workflow_id, source))

    def value(self, stored: Stored, source: str, name: str = "") -> Block:
        """Return a value over several lines."""
        return self.block(stored, source, lambda: self.showing.value(stored, LONGEST_BLOCK, width=WIDTH, name=name))

    def line(self, stored: Stored, name: str = "") -> str:
        """Return a value in one line."""
        if stored.head is None:
            return ""
        if not self.is_permitted:
            return self.hidden(stored)
        return shortened(plain_sentence(self.showing.value(stored, LONGEST_LINE, name=name)), LONGEST_LINE)

    def error_line(self, stored: Stored) -> str:
        """Return an error in one line."""
        if stored.head is None:
            return ""
        if not self.is_permitted:
            return self.hidden(stored)
        return shortened(self.showing.error_line(stored, LONGEST_LINE), LONGEST_LINE)

    def hidden(self, stored: Stored) -> str:
        """Return what those read who may not see it."""
        return hidden(stored.length or 0)


def hidden(length: int) -> str:
    """Return what stands in place of a payload of so many characters for who may not see it."""
    return _("%(size)s, which you may not see") % {"size": _size(length)}


def _size(length: int | None) -> str:
    # Stored texts are ASCII: a character is a byte.
    return str(filesizeformat(length or 0))
