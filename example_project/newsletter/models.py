"""Who reads the newsletter, and what was sent."""

from __future__ import annotations

from django.db import models


class Subscriber(models.Model):
    """Somebody who gets every issue; `greeting` is the id of the task that welcomes them."""

    email = models.EmailField(unique=True)
    greeting = models.CharField(max_length=64, default="", blank=True)
    subscribed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.email


class Delivery(models.Model):
    """One issue for one subscriber: a row is made before the mail is sent, and noted when it was."""

    subscriber = models.ForeignKey(Subscriber, models.CASCADE, related_name="deliveries")
    subject = models.CharField(max_length=200)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["subscriber", "subject"], name="newsletter_once_each")]

    def __str__(self) -> str:
        return f"{self.subject} for {self.subscriber}"
