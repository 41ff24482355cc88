"""What a verb asks for before it acts: a reason always, and what it needs to know."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from durable_django.admin.operating.fields import JsonField, LongText, moment_field
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

    def __init__(self, *args: Any, needs_reason: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason
        # What is asked for first stands first.
        self.order_fields([name for name in self.fields if name not in {"reason", "form_id"}])

    @property
    def options(self) -> dict[str, Any]:
        """What was filled in, but for the reason."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"reason", "form_id"}}


class CancelForm(ReasonForm):
    """Asks whether what was started from here ends as well."""

    children = forms.BooleanField(
        label=_("Cancel what they have started, too"),
        required=False,
        initial=True,
        help_text=_("Their children, and those of these, as far as they live."),
    )


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

    def clean(self) -> dict[str, Any]:
        """Refuse an empty range."""
        values = super().clean() or self.cleaned_data
        start, end = values.get("start"), values.get("end")
        if start and end and start >= end:
            self.add_error("end", ValidationError(gettext("This is not after the beginning."), code="order"))
        return values
