"""What a verb asks for before it acts: a reason always, and what it needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.operating.fields import JsonField, LongText, moment_field, say_zone
from durable_django.base import ids

_LONGEST_REASON = 1000


class ReasonForm(forms.Form):
    """
    Asks why; also knows which sheet of paper it is, so that handing it in twice acts once.

    options  after validation: what the verb takes besides the reason
    """

    reason = LongText(
        label=_("Reason"), required=False, max_length=_LONGEST_REASON, help_text=_("Kept with what you do, for others.")
    )
    form_id = forms.UUIDField(widget=forms.HiddenInput, initial=ids.new_id)

    def __init__(
        self, *args: Any, needs_reason: bool, rows: Sequence[Any], may_see_payloads: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.prepare(rows, may_see_payloads=may_see_payloads)
        self.fields["reason"].required = needs_reason
        # What is asked for first stands first.
        self.order_fields([name for name in self.fields if name not in {"reason", "form_id"}])

    def prepare(self, rows: Sequence[Any], *, may_see_payloads: bool) -> None:
        """Suit the fields to the rows that were chosen, and to what the user may see of them."""

    @property
    def options(self) -> dict[str, Any]:
        """What was filled in, but for the reason."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"reason", "form_id"}}


class CancelForm(ReasonForm):
    """Asks whether what was started from here ends as well."""

    children = forms.BooleanField(
        label=_("Cancel the children, too"),
        required=False,
        initial=True,
        help_text=_("And the children of these, as far as they live."),
    )


class ResumeForm(ReasonForm):
    """Asks whether what failed below goes on as well."""

    children = forms.BooleanField(
        label=_("Resume failed children, too"),
        required=False,
        help_text=_("Those that failed or were cancelled go on first; those whose error was caught stay as they are."),
    )


class PurgeForm(ReasonForm):
    """Asks what goes, and what stays."""

    children = forms.BooleanField(
        label=_("Purge the children, too"), required=False, help_text=_("As far as they have ended.")
    )
    payloads_only = forms.BooleanField(
        label=_("Keep the bare rows"), required=False, help_text=_("So that the ids start nothing again.")
    )


class RescheduleForm(ReasonForm):
    """Asks for the moment."""

    run_after = moment_field(_("Go on at"), required=False, help_text=_("Empty: now."))

    def prepare(self, rows: Sequence[Any], *, may_see_payloads: bool) -> None:  # noqa: ARG002 - as others are called
        """Say whose clock is meant."""
        say_zone(self.fields["run_after"])


class PriorityForm(ReasonForm):
    """Asks for the priority."""

    priority = forms.IntegerField(
        label=_("Priority"), min_value=-100, max_value=100, help_text=_("Larger ones come first.")
    )


class AttributesForm(ReasonForm):
    """Asks for the attributes that change."""

    attributes = JsonField(
        label=_("Attributes"), help_text=_('A JSON object, such as {"region": "north"}. Others stay as they are.')
    )

    def clean_attributes(self) -> dict[str, Any]:
        """Refuse what is no object, or an empty one."""
        value = self.cleaned_data["attributes"]
        if not isinstance(value, dict) or not value:
            raise ValidationError(gettext("Write a JSON object with at least one name and value."), code="object")
        return value


class SendForm(ReasonForm):
    """Asks for topic and message."""

    topic = forms.CharField(
        label=_("Topic"),
        required=False,
        max_length=255,
        strip=False,
        help_text=_("Only a receive() on the same topic gets it. Empty: the one without a name."),
    )
    message = JsonField(label=_("Message"), help_text=_('As JSON, such as {"approved": true}; a text in quotes.'))


class BackfillForm(ReasonForm):
    """Asks for the range whose ticks are to be fired."""

    start = moment_field(_("From"), help_text=_("The first tick may be this one."))
    end = moment_field(_("Until before"), help_text=_("What has not come yet is left out."))

    def prepare(self, rows: Sequence[Any], *, may_see_payloads: bool) -> None:  # noqa: ARG002 - as others are called
        """Say whose clock is meant."""
        for name in ("start", "end"):
            say_zone(self.fields[name])

    def clean(self) -> dict[str, Any]:
        """Refuse an empty range."""
        values = super().clean() or self.cleaned_data
        start, end = values.get("start"), values.get("end")
        if start and end and start >= end:
            self.add_error("end", ValidationError(gettext("This is not after the beginning."), code="order"))
        return values
