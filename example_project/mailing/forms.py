"""The forms of the mailing pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms

from example_project.mailing.models import Member

if TYPE_CHECKING:
    ProfileFormBase = forms.ModelForm[Member]
else:
    ProfileFormBase = forms.ModelForm


class LetterForm(forms.Form):
    """What to write to all members."""

    subject = forms.CharField(max_length=200)


class ProfileForm(ProfileFormBase):
    """What a member may change."""

    class Meta:
        model = Member
        fields = ("name", "email")
