"""Buttons: links from a row to the pages on which its verbs are confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.http import urlencode

from durable_django.admin.operating.verb import Text, Verb

#: What the address calls the page to go to afterwards.
NEXT = "next"
_LOOKS = ("likely", "usual", "destructive")


@dataclass(frozen=True)
class Button:
    """
    A link to the page that asks for confirmation.

    look  likely, usual or destructive: how loud it is
    """

    label: Text
    url: str
    look: str


def buttons_of(row: Any, verbs: Iterable[Verb], site: str, *, then: str = "") -> list[Button]:
    """
    Return a button for each verb that would change a row as it is now, the likely ones first, destructive ones last.

    verbs  those that the user may do
    site   the name of the admin site
    then   where to go afterwards, within this site; empty: the page of the row
    """
    query = f"?{urlencode({NEXT: then})}" if then else ""
    found = [
        Button(verb.label, operate_url(row, verb.name, site) + query, _look(verb)) for verb in verbs if verb.fits(row)
    ]
    return sorted(found, key=lambda button: _LOOKS.index(button.look))


def _look(verb: Verb) -> str:
    if verb.is_destructive:
        return "destructive"
    return "likely" if verb.is_likely else "usual"


def operate_url(row: Any, verb: str, site: str) -> str:
    """Return the address of the page on which a verb on a row is confirmed."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_operate"
    return reverse(name, args=[quote(row.pk), verb], current_app=site)
