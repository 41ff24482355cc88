"""Three clubs to look at: a large one, a middling one, a small one."""

from __future__ import annotations

from django.db import transaction

from example_project.mailing.models import Club, Member

CLUBS = (("chess", "Chess club", 120), ("choir", "Choir", 3), ("garden", "Allotment garden", 12))


@transaction.atomic
def make_clubs() -> None:
    """Make the clubs with their members, unless there are some."""
    if Club.objects.exists():
        return
    for slug, name, size in CLUBS:
        club = Club.objects.create(slug=slug, name=name)
        Member.objects.bulk_create(
            Member(club=club, name=f"Member {number}", email=f"{slug}-{number}@mail.example")
            for number in range(1, size + 1)
        )
