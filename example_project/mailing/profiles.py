"""What follows when a member changes the own profile."""

from __future__ import annotations

from durable_django import Debounce, WorkflowHandle
from example_project.mailing.models import Member
from example_project.mailing.workflows import confirm_profile

#: People change one thing, save, and change the next: they are told once, when they have been quiet for so long; at
#: the latest so long after the first change (seconds).
QUIET = Debounce(5, max_seconds=30)


def profile_changed(member: Member) -> WorkflowHandle[str]:
    """
    Tell the member soon that the profile was changed, in the caller's transaction.

    Each further call puts the notice off, and what the last one says is told.
    """
    notice = confirm_profile.using(
        deduplication_key=f"profile-{member.pk}", debounce=QUIET, partition_key=member.club.slug
    )
    return notice.start(member.pk, member.name)
