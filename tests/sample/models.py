"""Tables that the sample workflows write to."""

from __future__ import annotations

from django.db import models

from durable_django.base.clock import MomentField, Now
from durable_django.fields import WorkflowsRelation


class Mark(models.Model):
    """One effect of a step: `label` says whose, and there is no constraint, so that doubles would show."""

    label = models.CharField(max_length=255, db_index=True)


class Unique(models.Model):
    """A label that may exist once."""

    label = models.CharField(max_length=255, unique=True)


class Parent(models.Model):
    """The target of a deferred foreign key."""


class Child(models.Model):
    """A row whose foreign key is checked at COMMIT only."""

    parent = models.ForeignKey(Parent, models.DO_NOTHING)


class Span(models.Model):
    """The time that a step was in, by the database's clock; without an end if its process died in it."""

    queue = models.CharField(max_length=255)
    began_at = MomentField(db_default=Now())
    ended_at = MomentField(null=True)


class Parcel(models.Model):
    """A row that workflows are about."""

    label = models.CharField(max_length=255)

    workflows = WorkflowsRelation(related_query_name="parcels")


class Note(models.Model):
    """The same with a primary key of text."""

    title = models.CharField(max_length=255, primary_key=True)

    workflows = WorkflowsRelation()
