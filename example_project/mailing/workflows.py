"""
Mails through a provider that takes only so many in a while, for clubs that must not wait for each other.

The queue says all of it: how many mails may start, how many of one club may be under way, and that clubs have their
turns. The workflows know nothing of that.
"""

from __future__ import annotations

from durable_django import Queue, Rate, Retry, step, workflow
from example_project.mailing.models import Copy, Member
from example_project.mailing.postoffice import post_mail
from example_project.shop.calls import ProviderUnavailable

#: The provider takes 20 mails in 2 seconds. A rate counts the starts, and some mails leave a moment later than others:
#: therefore a quarter less. What is refused all the same is tried again.
mails = Queue("mails", rate=Rate(15, per=2), partition_concurrency=4)

MAIL_RETRY = Retry(max_attempts=20, base_seconds=0.5, factor=2, max_seconds=600, retry_on=(ProviderUnavailable,))
#: A notice that somebody waits for comes before the letters of the same club.
URGENT = 10


@workflow(queue="mails")
def deliver(copy_id: int) -> str:
    """Send one copy of a letter. Return the provider's id of the mail."""
    mail_id = hand_over(copy_id)
    mark_sent(copy_id, mail_id)
    return mail_id


@step(retry=MAIL_RETRY)
def hand_over(copy_id: int) -> str:
    """Give the mail to the provider. It has an idempotency key: called twice, it takes the mail once."""
    copy = Copy.objects.select_related("letter", "member").get(pk=copy_id)
    return post_mail(to=copy.member.email, subject=copy.letter.subject)


@step(atomic=True)
def mark_sent(copy_id: int, mail_id: str) -> None:
    """Keep that the provider has it."""
    Copy.objects.get(pk=copy_id).mark_sent(mail_id)


@workflow(queue="mails", priority=URGENT)
def confirm_profile(member_id: int, name: str) -> str:
    """Tell a member once what the profile says now, however often it was changed. Return the provider's id."""
    return send_notice(member_id, name)


@step(retry=MAIL_RETRY)
def send_notice(member_id: int, name: str) -> str:
    """Send the notice."""
    return post_mail(to=Member.objects.get(pk=member_id).email, subject=f"{name}, your profile was changed")
