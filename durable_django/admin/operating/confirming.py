"""Confirming: what will happen to which rows is shown before it happens, and again if it would be more by then."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from durable_django.admin.operating.acting import Order
from durable_django.admin.operating.forms import ReasonForm
from durable_django.admin.operating.verb import Planned, Verb
from durable_django.base.texts import plain, plain_sentence, shortened
from durable_django.exceptions import DurableError

#: Rows that one form changes; each batch of them is one transaction.
MOST_CHANGED = 500
#: Rows, and lines of a preview, that the page names; the others are counted.
MOST_NAMED = 20
_LONGEST_NAME = 120
#: Columns that decide whether a verb fits, and name the row, read of many rows without their payloads.
_WORKFLOW_COLUMNS = ("id", "name", "status", "pruned_at")


@dataclass(frozen=True)
class Named:
    """One row as the page names it."""

    name: str
    url: str
    state: SafeString
    fits: bool


@dataclass
class Confirmation:
    """
    One verb on the rows that were chosen.

    chosen  the rows, in the order of the list; more than MOST_CHANGED are cut off
    sent    whether the form was filled in and sent, or is only shown
    """

    admin: Any
    request: HttpRequest
    verb: Verb
    chosen: QuerySet[Any]
    sent: bool
    faults: list[str] = field(default_factory=list)

    @cached_property
    def found(self) -> list[Any]:
        """The rows, and one more if there are more than may be changed."""
        # The list of workflows reads what they are about as well, by a join.
        is_wide = self.verb.kind == "workflow"
        rows = self.chosen.select_related(None).only(*_WORKFLOW_COLUMNS) if is_wide else self.chosen
        return list(rows[: MOST_CHANGED + 1])

    @property
    def rows(self) -> list[Any]:
        """The rows that the form is about."""
        return self.found[:MOST_CHANGED]

    @property
    def is_capped(self) -> bool:
        """Whether more were chosen than are changed by one form."""
        return len(self.found) > MOST_CHANGED

    @property
    def most(self) -> int:
        """How many one form changes."""
        return MOST_CHANGED

    @property
    def question(self) -> str:
        """What the page asks."""
        return str(self.verb.question % {"n": len(self.rows)})

    @property
    def effect(self) -> str:
        """What will happen."""
        return str(self.verb.effect % {"n": len(self.rows)})

    @property
    def fitting(self) -> int:
        """How many of them would be changed, as they are now."""
        return sum(bool(self.verb.fits(row)) for row in self.rows)

    @cached_property
    def form(self) -> ReasonForm:
        """The form, with what was typed if it was sent."""
        user: Any = self.request.user
        return self.verb.form(
            self.request.POST if self.sent else None,
            needs_reason=self.verb.is_destructive,
            rows=self.rows,
            may_see_payloads=user.has_perm("durable_django.view_payload"),
        )

    @cached_property
    def preview(self) -> list[Planned]:
        """What would be started, once the form is valid; faults say why that cannot be."""
        if self.verb.preview is None or not (self.sent and self.form.is_valid()):
            return []
        try:
            return self.verb.preview(self.rows, self.form.options)
        except (DurableError, ValueError) as error:
            self.faults.append(plain_sentence(error))
            return []

    @property
    def has_preview(self) -> bool:
        """Whether there is something to look at before it is made; templates would call the verb's own attribute."""
        return self.verb.preview is not None

    @property
    def is_previewed(self) -> bool:
        """Whether the page shows all that it has to show before the verb may be confirmed."""
        return self.verb.preview is None or bool(self.preview)

    @property
    def token(self) -> str:
        """What the button carries that confirms: the number of rows, or what stands for the preview."""
        if self.verb.preview is None:
            return str(len(self.rows))
        planned = "\0".join(each.workflow_id for each in self.preview)
        return hashlib.sha256(planned.encode()).hexdigest()[:16]

    @property
    def is_confirmed(self) -> bool:
        """Whether the operator has seen all of this: not if there are more rows now, or others would be made."""
        given = self.request.POST.get("confirmed", "")
        if not (self.sent and given and self.form.is_valid() and self.is_previewed):
            return False
        if self.verb.preview is not None:
            return given == self.token
        # isdecimal: int() would read other digits, and raise for thousands of them.
        return given.isascii() and given.isdecimal() and len(given) < 10 and len(self.rows) <= int(given)  # noqa: PLR2004

    def order(self) -> Order:
        """Return what was asked for."""
        cleaned = self.form.cleaned_data
        model = self.chosen.model
        return Order(
            verb=self.verb,
            rows=model._default_manager.using(self.chosen.db),
            user=self.request.user,
            ids=[row.pk for row in self.rows],
            options=self.form.options,
            reason=cleaned["reason"],
            form_id=str(cleaned["form_id"]),
        )

    def named(self) -> list[Named]:
        """Return the first rows, as the page names them."""
        return [
            Named(
                name=shortened(plain(row), _LONGEST_NAME),
                url=row_url(self.admin, row),
                state=self.admin.state(row),
                fits=bool(self.verb.fits(row)),
            )
            for row in self.rows[:MOST_NAMED]
        ]

    @property
    def is_empty(self) -> bool:
        """Whether the preview is that nothing would be made."""
        is_judged = self.verb.preview is not None and self.sent and self.form.is_valid()
        return is_judged and not self.preview and not self.faults

    @property
    def is_across(self) -> bool:
        """Whether all that match the filters of the list were chosen, not only those that were ticked."""
        return self.request.POST.getlist("select_across")[-1:] == ["1"]

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Yield what the list needs to choose the same rows again."""
        yield "action", self.verb.name
        yield "select_across", str(int(self.is_across))
        ticked = self.request.POST.getlist(ACTION_CHECKBOX_NAME)
        # Django wants one to be ticked, whichever it is, if all are meant.
        yield from ((ACTION_CHECKBOX_NAME, key) for key in (ticked[:1] if self.is_across else ticked))


def row_url(admin: Any, row: Any) -> str:
    """Return the address of the page of a row."""
    name = f"admin:{admin.opts.app_label}_{admin.opts.model_name}_change"
    return reverse(name, args=[quote(row.pk)], current_app=admin.admin_site.name)
