"""Members in the admin; whoever changes a profile there lets the member know, as the page does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from example_project.mailing.models import Club, Member
from example_project.mailing.profiles import profile_changed

if TYPE_CHECKING:
    MemberAdminBase = admin.ModelAdmin[Member]
    ClubAdminBase = admin.ModelAdmin[Club]
else:
    MemberAdminBase = ClubAdminBase = admin.ModelAdmin


@admin.register(Club)
class ClubAdmin(ClubAdminBase):
    """The clubs."""

    list_display = ("name", "slug")


@admin.register(Member)
class MemberAdmin(MemberAdminBase):
    """Members of all clubs."""

    list_display = ("name", "email", "club")
    list_filter = ("club",)
    search_fields = ("name", "email")

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: Any) -> None:
        """Save, and start the notice in the same transaction."""
        super().save_model(request, obj, form, change)
        if change and form.has_changed():
            profile_changed(obj)
