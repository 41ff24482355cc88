"""Verb: all that lists, pages and records need to know of one thing that operators do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.safestring import SafeString

from durable_django.admin.cells import breakable
from durable_django.admin.operating.forms import ReasonForm
from durable_django.models.permissions import codename

#: A text that is translated when it is shown; of those about several rows, a plural over "n".
Text = str | Promise
Options = Mapping[str, Any]


class Planned(NamedTuple):
    """A workflow that a verb would start: its id, and the tick of it on the clock of its schedule."""

    workflow_id: str
    tick: str

    @property
    def shown_id(self) -> SafeString:
        """The id as a table shows it."""
        return breakable(self.workflow_id)


@dataclass(frozen=True, kw_only=True)
class Verb:
    """
    One verb.

    name            as in the address and in the permission
    kind            the name of the model whose rows it changes
    label           of the button and the action, in the imperative
    question        what the page asks that wants to be confirmed, over "n"
    effect          what will happen, in a sentence, over "n"
    done            how many were changed, over "n"
    left            how many stayed as they were, and why, over "n"
    log             what the log of the admin says of each row
    fits            whether it would change a row as it is now
    on_all          changes many workflows, in transactions that call models/witnesses.py
    on_each         changes one row, in the transaction around it. Returns what it made, or None if there was nothing
                    to change
    form            what it asks for
    preview         what it would start; it is shown before it is started
    is_destructive  what it does cannot be undone by another verb: it takes a reason
    is_likely       what operators most often want of a row that it fits

    One with neither on_all nor on_each is done on a page of its own.
    """

    name: str
    kind: str
    label: Text
    question: Text = ""
    effect: Text = ""
    done: Text = ""
    left: Text = ""
    log: Text = ""
    fits: Callable[[Any], bool] = lambda _row: True
    on_all: Callable[[Any, Options], Any] | None = None
    on_each: Callable[[Any, Options], Mapping[str, Any] | None] | None = None
    form: type[ReasonForm] = ReasonForm
    preview: Callable[[list[Any], Options], list[Planned]] | None = None
    is_destructive: bool = False
    is_likely: bool = False

    @property
    def is_button(self) -> bool:
        """Whether it has a button and an action."""
        return self.on_all is not None or self.on_each is not None

    @property
    def permission(self) -> str:
        """What has_perm() is asked for."""
        return f"durable_django.{codename(self.name, self.kind)}"

    def is_allowed(self, request: HttpRequest) -> bool:
        """Whether the user may do it to some rows."""
        user: Any = request.user
        return bool(user.has_perm(self.permission))
