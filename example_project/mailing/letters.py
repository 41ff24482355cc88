"""Writing to all members of a club."""

from __future__ import annotations

from django.db import transaction

from example_project.mailing.models import Club, Copy, Letter
from example_project.mailing.workflows import deliver


@transaction.atomic
def write_to_all(club: Club, subject: str) -> Letter:
    """
    Write a letter to all members of a club: its copies and their workflows, all or none.

    The partition key lets other clubs go on: one with a hundred members does not hold up one with three.
    """
    letter = Letter.objects.create(club=club, subject=subject)
    copies = Copy.objects.bulk_create(Copy(letter=letter, member=member) for member in club.members.all())
    deliver.using(partition_key=club.slug).start_many([(copy.pk,) for copy in copies])
    return letter
