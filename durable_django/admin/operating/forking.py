"""The form of a fork: from where, and with which arguments, which only those see who may see payloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from durable_django.admin.operating.fields import JsonField
from durable_django.admin.operating.forms import ReasonForm
from durable_django.base import payloads, registry
from durable_django.exceptions import PayloadError
from durable_django.management.showing import parameters_of, showing
from durable_django.models.status import Status

#: Arguments that are longer are not offered for editing.
_LONGEST_CALL = 100_000


class Place(TextChoices):
    """From where a fork goes on by itself."""

    FAILURE = "failure", _("from the failure: everything that succeeded is kept")
    STEP = "step", _("from a step: what comes before it is kept")
    BEGINNING = "beginning", _("from the beginning: nothing is kept")


class ForkForm(ReasonForm):
    """Asks from where to fork, with which arguments, into which queue."""

    place = forms.ChoiceField(label=_("Fork"), choices=Place.choices, widget=forms.RadioSelect)
    step = forms.CharField(
        label=_("Step"), required=False, max_length=255, help_text=_("Its position, such as 3, or its name.")
    )
    arguments = JsonField(
        label=pgettext_lazy("of a call", "Arguments"),
        required=False,
        help_text=_(
            'As JSON: a list of positional ones, or {"args": [...], "kwargs": {...}}. Empty: those of the original.'
        ),
    )
    queue = forms.ChoiceField(label=_("Queue"), required=False)

    def prepare(self, rows: Sequence[Any], *, may_see_payloads: bool) -> None:
        """Offer the arguments of one workflow to those who may see them: without secrets, as far as JSON has words."""
        names = [(name, name) for name in registry.queues.names()]
        self.fields["queue"].choices = [("", _("that of the original")), *names]  # type: ignore[attr-defined]
        self.fields["place"].initial = _likely_place(rows)
        if not may_see_payloads or len(rows) != 1:
            del self.fields["arguments"]
        else:
            self.fields["arguments"].initial = _written(rows[0].name, rows[0].arguments)

    def clean_arguments(self) -> Any:
        """Refuse what is no call."""
        value = self.cleaned_data["arguments"]
        if value is None or isinstance(value, list):
            return value
        if isinstance(value, dict) and value.keys() <= {"args", "kwargs"}:
            args, kwargs = value.get("args", []), value.get("kwargs", {})
            if isinstance(args, list) and isinstance(kwargs, dict):
                return value
        message = gettext('Write a list of positional arguments, or {"args": [...], "kwargs": {...}}.')
        raise ValidationError(message, code="call")

    def clean(self) -> dict[str, Any]:
        """Require a step where one is meant."""
        values = super().clean() or self.cleaned_data
        if values.get("place") == Place.STEP and not values.get("step"):
            self.add_error("step", ValidationError(gettext("Name the step, or give its position."), code="required"))
        return values

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of Workflow.fork(); arguments only if they were changed."""
        given = self.cleaned_data
        found: dict[str, Any] = {"from_failure": given["place"] == Place.FAILURE, "queue": given["queue"] or None}
        if given["place"] == Place.STEP:
            step = given["step"]
            found["from_step"] = int(step) if step.isascii() and step.isdecimal() and len(step) < 10 else step  # noqa: PLR2004 - more digits than any position has
        if given.get("arguments") is not None and "arguments" in self.changed_data:
            found["args"] = _call(given["arguments"])
        return found


def _likely_place(rows: Sequence[Any]) -> str:
    return Place.FAILURE if all(row.status == Status.FAILED for row in rows) else Place.BEGINNING


def _call(value: Any) -> SimpleNamespace:
    call = {"args": value} if isinstance(value, list) else value
    return SimpleNamespace(args=call.get("args", []), kwargs=call.get("kwargs", {}))


def _written(name: str, stored: str) -> str:
    """Return stored arguments as JSON to be edited; empty if that would show a secret, or not bring back the same."""
    if not stored or len(stored) > _LONGEST_CALL or _has_secret(name, stored):
        return ""
    try:
        value = json.loads(stored)
        call = _call(value)
        # What JSON has no word for is stored with a tag, and would not come back as the same text.
        is_plain = payloads.encode_call(tuple(call.args), dict(call.kwargs)) == stored
    except (ValueError, TypeError, AttributeError, RecursionError, PayloadError):
        return ""
    return json.dumps(value, indent=2, ensure_ascii=False) if is_plain else ""


def _has_secret(name: str, stored: str) -> bool:
    """Whether pages would show some part otherwise than it is."""
    longest = 2 * _LONGEST_CALL
    shown = payloads.describe_call(stored, longest, redact=showing().redact, parameters=parameters_of(name))
    return shown != payloads.describe_call(stored, longest)
