"""The background work of the newsletter, declared as Django's documentation shows it."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.core.mail import send_mail
from django.utils import timezone

from example_project.newsletter.models import Delivery, Subscriber

try:
    from django.tasks import task
except ImportError:
    # Django 5.2, with the package that brings it the tasks of Django 6.
    from django_tasks import task  # type: ignore[no-redef]

_SENDER = "news@shop.example"


@task(priority=10)
def greet(subscriber_id: int) -> str:
    """Welcome a new subscriber."""
    subscriber = Subscriber.objects.get(pk=subscriber_id)
    send_mail("Welcome", "From now on you will hear of us.", _SENDER, [subscriber.email])
    return subscriber.email


@task(takes_context=True)
def send_issue(context: Any, subject: str, text: str) -> int:
    """Enqueue one delivery for each subscriber. Return how many."""
    subscribers = Subscriber.objects.order_by("pk").values_list("pk", flat=True)
    for subscriber_id in subscribers:
        deliver.using(priority=-10).enqueue(subscriber_id, subject, f"{text}\n\n(issue {context.task_result.id})")
    return len(subscribers)


@task
async def deliver(subscriber_id: int, subject: str, text: str) -> bool:
    """Send an issue to one subscriber, unless it was sent. Return whether it was sent now."""
    delivery, _is_new = await Delivery.objects.aget_or_create(subscriber_id=subscriber_id, subject=subject)
    if delivery.sent_at is not None:
        return False
    subscriber = await Subscriber.objects.aget(pk=subscriber_id)
    # It blocks, as every call of a mail server: in a thread it holds up no other delivery.
    await sync_to_async(send_mail)(subject, text, _SENDER, [subscriber.email])
    delivery.sent_at = timezone.now()
    await delivery.asave(update_fields=["sent_at"])
    return True
