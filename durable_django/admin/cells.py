"""Cells of lists: what they are for, and below it in a quiet line what belongs to it; a column for each has no room."""

from __future__ import annotations

import re
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

#: What a name is made of: words, each with the dots, dashes and the like behind it.
_PARTS = re.compile(r"[^._/:-]*[._/:-]+|[^._/:-]+")


def breakable(name: str) -> SafeString:
    """Return a name that a narrow column breaks behind a dot, a dash or the like, not in the middle of a word."""
    *parts, last = _PARTS.findall(name) or [""]
    return format_html("{}{}", format_html_join("", "{}<wbr>", ((part,) for part in parts)), last)


def with_help(main: Any, quiet: Any, kind: str = "help") -> SafeString | str:
    """
    Return the cell; only what it is for if there is nothing to add.

    kind  how the style sheet calls the line below
    """
    return format_html('{}<span class="durable-{}">{}</span>', main, kind, quiet) if quiet else main
