"""The form in which a person decides."""

from __future__ import annotations

from typing import Any

from django import forms


class VerdictForm(forms.Form):
    """Approve, or reject and say why; the two buttons are the values of `verdict`."""

    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("reject", "Reject")])
    note = forms.CharField(max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def clean(self) -> dict[str, Any]:
        """Ask for a note with a rejection: somebody will want to know."""
        values = super().clean() or self.cleaned_data
        if values.get("verdict") == "reject" and not values.get("note"):
            self.add_error("note", "Say why it is rejected.")
        return values
