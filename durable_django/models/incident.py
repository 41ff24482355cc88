"""Incident: something that is wrong with the whole system for a while, of which one worker tells, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from django.db import models
from django.db.models import Case, Value, When
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import Later, MomentField, Now

#: The kind of the one row that says when somebody has looked last.
_LOOK = "look"
#: Who has said that it tells of an incident, and has not said that it did, has died meanwhile (seconds).
_TELLING_SECONDS = 60.0


class Kind(models.TextChoices):
    """What may be wrong."""

    QUEUE_DELAYED = "queue_delayed", _("queue delayed")
    SCHEDULE_BROKEN = "schedule_broken", _("schedule broken")
    WORKER_LOST = "worker_lost", _("worker lost")
    WORKFLOWS_FAILING = "workflows_failing", _("workflows failing")


class IncidentQuerySet(models.QuerySet["Incident"]):
    """Incidents, and the verbs by which any number of workers agree on who tells of them."""

    def known(self) -> Self:
        """All incidents, those that are over included."""
        return self.exclude(kind=_LOOK)

    def open(self) -> Self:
        """Those that are not over."""
        return self.known().filter(closed_at__isnull=True)

    def of_which_others_know(self, kind: Kind) -> Self:
        """Those that were told of."""
        return self.filter(kind=kind, tell_at__isnull=True)

    def take_turn(self, seconds: float) -> bool:
        """Whether nobody has looked for so long; then it is the caller's turn, and nobody else's."""
        last = self.filter(kind=_LOOK, subject="")
        if last.filter(seen_at__lt=Later(-seconds)).update(seen_at=Now()):
            return True
        return not last.exists() and self.get_or_create(kind=_LOOK, subject="", defaults={"seen_at": Now()})[1]

    def note(self, kind: Kind, subject: str, message: str) -> bool:
        """
        Note that something is wrong, now. Return whether that is news, which one caller alone is told.

        It is, too, if it was over and is wrong again. Who is told that it is tells others, and then calls told(); if it
        dies before, the next caller after a minute is told instead.
        """
        mine = self.filter(kind=kind, subject=subject)
        seen = {"seen_at": Now(), "message": message}
        news = {"tell_at": Later(_TELLING_SECONDS)}
        if mine.filter(closed_at__isnull=True).update(**seen):
            return bool(mine.filter(tell_at__lt=Now()).update(**news))
        if mine.filter(closed_at__isnull=False).update(opened_at=Now(), closed_at=None, **seen, **news):
            return True
        # Somebody else may be just as far: one of the two makes the row.
        moments = {"opened_at": Now(), **seen, **news}
        return self.get_or_create(kind=kind, subject=subject, defaults=moments)[1]

    def note_again(self, kind: Kind, messages: Mapping[str, str]) -> set[str]:
        """
        Note that all this is wrong still, a sentence by subject, where others know of it. Return of what they do.

        Two statements, however many there are; the others are to be noted one by one.
        """
        known = self.open().of_which_others_know(kind).filter(subject__in=messages)
        subjects = set(known.values_list("subject", flat=True)) if messages else set()
        if subjects:
            cases = [When(subject=subject, then=Value(messages[subject])) for subject in subjects]
            known.update(seen_at=Now(), message=Case(*cases, default="message", output_field=models.TextField()))
        return subjects

    def told(self, kind: Kind, subject: str) -> None:
        """Note that others know of it."""
        self.filter(kind=kind, subject=subject).update(tell_at=None)

    def close(self, *, unseen_seconds: float) -> int:
        """End those that nobody has seen for so long. Return how many."""
        return self.open().filter(seen_at__lt=Later(-unseen_seconds)).update(closed_at=Now())

    def forget(self, *, after_seconds: float) -> int:
        """Remove those that have been over for so long. Return how many."""
        count, _models = self.known().filter(closed_at__lt=Later(-after_seconds)).delete()
        return count


class Incident(models.Model):
    """
    What is or was wrong with a queue, a schedule, a worker or the workflows of a name.

    subject    which one: the name
    message    a sentence, as of seen_at; it carries no payload
    opened_at  when it was told of
    seen_at    when it was still so
    closed_at  when it was over; None before
    tell_at    when to tell of it again, if nobody has said before that it was told of; None then
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    subject = models.CharField(max_length=255)
    message = models.TextField(default="", blank=True)
    opened_at = MomentField(db_default=Now())
    seen_at = MomentField(db_default=Now())
    closed_at = MomentField(null=True, blank=True)
    tell_at = MomentField(null=True, blank=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="durable_incident_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
