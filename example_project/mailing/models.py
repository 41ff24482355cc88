"""Clubs, their members, what a club writes to all of them, and what has become of each copy."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce


class ClubQuerySet(models.QuerySet["Club"]):
    """Clubs with numbers about them."""

    def with_progress(self) -> Self:
        """
        Annotate how far the letters of each club are.

        member_count   its members
        waiting_count  copies that nobody has taken yet
        sent_count     copies that the provider has taken
        """
        letters = Letter.objects.filter(club=OuterRef("pk"))
        copies = {"waiting_count": Q(copies__mail_id=""), "sent_count": ~Q(copies__mail_id="")}
        members = Member.objects.filter(club=OuterRef("pk"))
        return self.annotate(
            member_count=_number(members, Count("pk")),
            **{name: _number(letters, Count("copies", filter=chosen)) for name, chosen in copies.items()},
        )


class Club(models.Model):
    """
    One customer of the service.

    slug  also the partition key of its mails: each club has its turn
    """

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)

    #: Annotated by with_progress().
    member_count: int
    waiting_count: int
    sent_count: int

    objects = ClubQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """Somebody who gets the letters of a club."""

    club = models.ForeignKey(Club, on_delete=models.CASCADE, related_name="members")
    name = models.CharField(max_length=100)
    email = models.EmailField()

    class Meta:
        ordering = ("pk",)
        constraints = [models.UniqueConstraint(fields=["club", "email"], name="mailing_member_once")]

    def __str__(self) -> str:
        return self.name


class Letter(models.Model):
    """What a club writes to all its members."""

    club = models.ForeignKey(Club, on_delete=models.CASCADE, related_name="letters")
    subject = models.CharField(max_length=200)
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.subject


class Copy(models.Model):
    """
    One letter for one member.

    mail_id  the provider's id, once it has taken the mail
    """

    letter = models.ForeignKey(Letter, on_delete=models.CASCADE, related_name="copies")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="copies")
    mail_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        verbose_name_plural = "copies"
        constraints = [models.UniqueConstraint(fields=["letter", "member"], name="mailing_copy_once")]

    def __str__(self) -> str:
        return f"{self.letter} for {self.member}"

    def mark_sent(self, mail_id: str) -> None:
        """Keep that the provider has taken the mail."""
        self.mail_id = mail_id
        self.save(update_fields=["mail_id"])


def _number(rows: QuerySet[models.Model], count: Count) -> Coalesce:
    """Return a count in a query of its own: joins to two tables would multiply each other."""
    return Coalesce(Subquery(rows.order_by().values("club").annotate(number=count).values("number")), 0)
