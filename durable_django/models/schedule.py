"""Schedule: cron text that starts a workflow, with its own watermark of the last tick that was dealt with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models import Q
from django.db.models.expressions import DatabaseDefault
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from durable_django.base import cron, ids, payloads, registry, ticks, timetable
from durable_django.base.clock import MomentField, Now, instant
from durable_django.exceptions import UnknownQueue
from durable_django.models.permissions import of_verbs
from durable_django.models.schedule_queryset import DEFINING, PLANNING, ScheduleQuerySet, encode_context
from durable_django.models.turns import short_transaction

#: A run is put off by a day at most.
LONGEST_JITTER_SECONDS = 24 * 3600.0
_EPOCH = instant(0)


class CatchUp(models.TextChoices):
    """What becomes of ticks that nobody has fired within a minute."""

    SKIP = "skip", _("skip")
    LATEST = "latest", _("latest")
    ALL = "all", _("all")


class Overlap(models.TextChoices):
    """What becomes of a tick while a run of the schedule has not ended."""

    ALLOW = "allow", _("allow")
    SKIP = "skip", _("skip")
    QUEUE = "queue", pgettext_lazy("what to do with a run", "queue")


class Schedule(models.Model):
    """
    One schedule. Make one with `Schedule.objects.create(name=, cron=, workflow=)`; change its columns and save().

    workflow     the name of the workflow, or its definition
    queue        a declared queue; empty for that of the workflow
    context      a value that the workflow is called with, as `context=`; None for none
    declared     what the code says of it, by column; None for a row that no code has declared
    fired_until  the last tick that was dealt with, or the moment from which on ticks count
    resumed_at   ticks up to here count as missed, however young they are
    next_at      when a worker looks at it next, usually the next tick; None while it does not fire
    error        why it does not fire; it is tried again all the same
    """

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=255, unique=True)
    workflow = models.CharField(_("workflow"), max_length=255)
    cron = models.CharField(_("cron"), max_length=255)
    timezone = models.CharField(_("timezone"), max_length=64, default=django_timezone.get_default_timezone_name)
    queue = models.CharField(_("queue"), max_length=255, default="", blank=True)
    encoded_context = models.TextField(null=True, blank=True)
    catch_up = models.CharField(_("catch up"), max_length=16, choices=CatchUp.choices, default=CatchUp.LATEST)
    overlap = models.CharField(_("overlap"), max_length=16, choices=Overlap.choices, default=Overlap.ALLOW)
    jitter_seconds = models.FloatField(_("jitter seconds"), default=0)
    is_paused = models.BooleanField(_("is paused"), default=False)
    is_retired = models.BooleanField(_("is retired"), default=False)
    error = models.TextField(_("error"), default="", blank=True)
    declared = models.JSONField(null=True, blank=True, editable=False)
    application = models.CharField(_("application"), max_length=255, default="", blank=True)
    fired_until = MomentField(_("fired until"), db_default=Now(), null=True, blank=True)
    resumed_at = MomentField(_("resumed at"), null=True, blank=True)
    next_at = MomentField(_("next at"), db_default=Now(), null=True, blank=True)
    created_at = MomentField(_("created at"), db_default=Now())

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        permissions = of_verbs("schedule")
        indexes = [models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="durable_schedule_next")]

    def __str__(self) -> str:
        return self.name

    @property
    def context(self) -> Any:
        """The value that the workflow is called with. Raises UnreadablePayload if it cannot be read."""
        return None if self.encoded_context is None else payloads.decode(self.encoded_context)

    @context.setter
    def context(self, value: Any) -> None:
        self.encoded_context = encode_context(value)

    @property
    def is_edited(self) -> bool:
        """Whether somebody has changed what the code declares; that holds until revert()."""
        return any(getattr(self, column) != value for column, value in self.declared_columns.items())

    @property
    def declared_columns(self) -> dict[str, Any]:
        """What the code says of it, by column; of a newer release as far as this one knows the columns."""
        return {column: value for column, value in (self.declared or {}).items() if column in DEFINING}

    def next_ticks(self, count: int = 5) -> list[datetime]:
        """Return the next ticks from now on, in UTC, paused or not. Raises ValueError if it cannot be read."""
        found, after = [], self._alone().now()
        timing = cron.read(self.cron, self.timezone)
        for _number in range(count):
            after = timing.next_after(after)
            found.append(after)
        return found

    # -- validation -------------------------------------------------------------------------------------------------

    def clean(self) -> None:
        """Raise ValidationError, by column, for what could never fire."""
        faults: dict[str, str] = {}
        for column, check in _CHECKS.items():
            try:
                check(self)
            except (ValueError, TypeError, UnknownQueue) as error:
                faults[column] = str(error)
        if faults:
            raise ValidationError(faults)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """
        Store it, and let a worker plan it anew. The watermark is never written from here, where it may be stale.

        A new cron text or zone counts from now on; ticks of the old one that are due are fired first.
        Raises ValidationError for what could never fire.
        """
        self.workflow = getattr(self.workflow, "name", self.workflow)
        self.clean()
        alias = kwargs.get("using") or router.db_for_write(Schedule, instance=self)
        with short_transaction(alias):
            if self._state.adding:
                self._set_out()
                super().save(*args, **kwargs)
            else:
                columns = kwargs.setdefault("update_fields", ("name", "is_paused", *DEFINING))
                rows = Schedule.objects.using(alias).filter(pk=self.pk)
                rows.settle({column: getattr(self, column) for column in PLANNING if column in columns})
                super().save(*args, **kwargs)
                rows.plan()
        self.refresh_from_db(using=alias, fields=["fired_until", "next_at", "error"])

    def _set_out(self) -> None:
        """Let ticks count from the insertion on, by the database's clock, unless the caller says otherwise."""
        if self.fired_until is None or isinstance(self.fired_until, DatabaseDefault):
            self.fired_until = Now()
        self.next_at = None if self.is_paused or self.is_retired else Now()

    # -- the verbs of an operator: see ScheduleQuerySet, which explains them ------------------------------------------

    def pause(self) -> bool:
        """Let it fire no more; whether it was not paused yet. See ScheduleQuerySet.pause()."""
        return self._after(bool(self._alone().pause()))

    def resume(self) -> bool:
        """Let it fire again; whether it was paused. See ScheduleQuerySet.resume()."""
        return self._after(bool(self._alone().resume()))

    def revert(self) -> bool:
        """Make it what the code declares again; whether it was edited. See ScheduleQuerySet.revert()."""
        return self._after(bool(self._alone().revert()))

    def trigger(self) -> str:
        """Start its workflow once, now, and return the id of it. See ScheduleQuerySet.trigger()."""
        return self._alone().triggered()[0]

    def backfill(self, start: datetime, end: datetime, *, dry_run: bool = False) -> list[str]:
        """Start what is missing of its ticks in a range. Return the ids. See ScheduleQuerySet.backfill()."""
        return self._alone().backfilled(start, end, dry_run=dry_run)

    def _alone(self) -> ScheduleQuerySet:
        return Schedule.objects.using(self._state.db).filter(pk=self.pk)

    def _after(self, changed: bool) -> bool:  # noqa: FBT001 - passes on what the verb says
        self.refresh_from_db()
        return changed

    # -- the verbs of the worker that holds the row's lock -----------------------------------------------------------

    def move(self, *, fired_until: datetime, next_at: datetime) -> None:
        """Set the watermark and the moment to look at it next."""
        self._alone().write(fired_until=fired_until, next_at=next_at, error="")


def _check_name(schedule: Schedule) -> None:
    ids.validate_id(ticks.workflow_id(schedule.name, _EPOCH))


def _check_cron(schedule: Schedule) -> None:
    try:
        cron.read_zone(schedule.timezone)
    except ValueError:
        return
    cron.read(schedule.cron, schedule.timezone)


def _check_workflow(schedule: Schedule) -> None:
    if not registry.workflows.knows(schedule.workflow):
        # Its code may run elsewhere.
        return
    registered = registry.workflows.get(schedule.workflow)
    if wanting := timetable.wanting(registered):
        message = f"{schedule.workflow} needs {', '.join(wanting)}, which a schedule cannot give: only {_GIVEN}."
        raise ValueError(message)
    if schedule.encoded_context is not None and "context" not in timetable.given_to(registered):
        message = f"{schedule.workflow}{registered.signature} takes no context."
        raise ValueError(message)


def _check_queue(schedule: Schedule) -> None:
    if schedule.queue and registry.workflows.knows(schedule.workflow):
        registry.queues.require(schedule.queue)


def _check_choice(column: str, choices: list[str], schedule: Schedule) -> None:
    if getattr(schedule, column) not in choices:
        message = f"{column} must be one of {', '.join(choices)}, got {getattr(schedule, column)!r}."
        raise ValueError(message)


def _check_jitter(schedule: Schedule) -> None:
    seconds: Any = schedule.jitter_seconds
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_JITTER_SECONDS:
        message = f"jitter_seconds must be a number from 0 to {LONGEST_JITTER_SECONDS:g}, got {seconds!r}."
        raise ValueError(message)


_GIVEN = " and ".join(timetable.GIVEN)
_CHECKS: dict[str, Any] = {
    "name": _check_name,
    "cron": _check_cron,
    "timezone": lambda schedule: cron.read_zone(schedule.timezone),
    "workflow": _check_workflow,
    "queue": _check_queue,
    "catch_up": lambda schedule: _check_choice("catch_up", CatchUp.values, schedule),
    "overlap": lambda schedule: _check_choice("overlap", Overlap.values, schedule),
    "jitter_seconds": _check_jitter,
}
