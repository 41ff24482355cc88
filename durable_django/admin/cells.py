"""Cells of lists: what they are for, and below it in a quiet line what belongs to it; a column for each has no room."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString


def with_help(main: Any, quiet: Any, kind: str = "help") -> SafeString | str:
    """
    Return the cell; only what it is for if there is nothing to add.

    kind  how the style sheet calls the line below
    """
    return format_html('{}<span class="durable-{}">{}</span>', main, kind, quiet) if quiet else main
